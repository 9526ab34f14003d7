"""keep-healthy URL RECORDS DUMPS INTERVAL: ask the app TARGET at URL every INTERVAL seconds. Slow
or missing answers get one dump of the app, in DUMPS; too many missing ones in a row get its main
process ended, and the kubelet starts it again. RECORDS has what outlasts this program, and its
`status`, as old as the last answer. The environment says how patient it is.
Needs shareProcessNamespace, and the user ID of the app.
"""

import os
import signal
import sys
import time
from pathlib import Path

from .asking import Answer, ask
from .basics import end_when_told, publish, say, uptime
from .dumps import discard, dump, keep_newest
from .known import Known
from .processes import catches, runs, send
from .restarts import Restarts


def setting(name: str) -> int:
    """A number of the environment."""
    return int(os.environ[name])


class Keeper:
    """Keeps one app healthy."""

    def __init__(self, url: str, records: Path, dumps: Path) -> None:
        self.url, self.dumps, self.target = url, dumps, os.environ["TARGET"]
        self.slow, self.timeout = setting("SLOW_SECONDS"), setting("PROBE_TIMEOUT_SECONDS")
        self.threshold, self.within = setting("FAILURE_THRESHOLD"), setting("BUDGET_SECONDS")
        self.status, self.leaving, self.said = records / "status", records / "leaving", ""
        self.known = Known(records / "process")
        self.restarts = Restarts(
            records / "restarts", setting("RESTART_BUDGET"), self.within, setting("BACKOFF_SECONDS")
        )
        # One that was killed may have left half a dump, and this pod lives.
        discard([self.leaving, *dumps.glob("*.new")])

    def say(self, what: str, detail: str) -> None:
        """Both go to the status, and to the log when `what` is not what it was."""
        publish(self.status, f"{what}: {detail}\n")
        if what != self.said:
            say(f"{what}: {detail}")
        self.said = what

    def look(self) -> None:
        """Ask once, and do what follows from the answer."""
        if self.leaving.exists():
            self.say("leaving", f"the pod is being ended, {self.target} is left alone")
            return
        try:
            self.known.follow(self.target)
        except LookupError as error:
            self.say("absent", str(error))
            return
        begun = self.restarts.begun(self.known.which)
        if begun is not None:
            self.finish(begun)
            return
        answer = ask(self.url, self.slow, self.timeout, self.late)
        # One that has ended meanwhile is the kubelet's to start again.
        if runs(self.known.process) and not self.leaving.exists():
            self.judge(answer)

    def young(self) -> bool:
        """It has never answered, and may still be starting."""
        return not self.known.up and uptime() - self.known.seen < setting("START_SECONDS")

    def late(self) -> None:
        """An answer takes its time, and the app can be looked at meanwhile."""
        if not self.leaving.exists() and not self.young():
            self.trouble("slow")

    def judge(self, answer: Answer) -> None:
        """What an answer leads to."""
        if answer.problem:
            self.missed(answer.problem)
            return
        known, answered = self.known, f"answered in {answer.took} ms"
        before, known.up, known.failures = known.up, True, 0
        if before and answer.took >= self.slow * 1000:
            self.trouble("slow")
            self.say("slow", answered)
        elif known.occurrence != "none" and known.good + 1 < self.threshold:
            known.good += 1
            self.say("recovering", answered)
        else:
            known.occurrence, known.good = "none", 0
            self.say("healthy", answered)

    def missed(self, problem: str) -> None:
        """There was no answer, or an error."""
        known = self.known
        if self.young():
            self.say("starting", problem)
            return
        known.failures += 1
        self.trouble("failed")
        if known.failures < self.threshold:
            self.say(f"failing, {known.failures} of {self.threshold}", problem)
            return
        by, left, count = self.restarts.hold()
        if by:
            when = f"{count} restarts in {self.within} s, the next one in {left} s at the earliest"
            self.say(f"not restarted: {by}", f"{problem}; {when}")
        # One that has ended by itself meanwhile costs no restart.
        elif runs(known.process) and self.restarts.begin(known.which):
            self.finish(uptime())

    def trouble(self, kind: str) -> None:
        """It begins, or goes on; it gets one dump."""
        known, now = self.known, time.gmtime()
        known.good = 0
        if known.occurrence == "none":
            known.occurrence = f"{self.target}-{time.strftime('%Y%m%dT%H%M%SZ', now)}-{kind}"
            known.record()
        file = self.dumps / f"{known.occurrence}.txt"
        if not file.exists() and runs(known.process):
            date = time.strftime("%a %b %e %H:%M:%S UTC %Y", now)
            if dump(known.process.pid, file, f"{self.target} at {date}: {kind}"):
                say(f"Dump: {file}")
                keep_newest(file, setting("MAX_DUMPS"))
                self.tell(os.environ["DUMP_SIGNAL"])

    def tell(self, name: str) -> None:
        """The app dumps itself at this signal, if it handles it."""
        if not catches(self.known.process.pid, name):
            say(f"{self.target} does not handle SIG{name}, which would end it: not sent")
            return
        try:
            send(self.known.process, signal.Signals[f"SIG{name}"])
        except OSError as error:
            say(f"Cannot signal {self.target}: {error.strerror}")

    def finish(self, begun: float) -> None:
        """End the process that is to be restarted."""
        pid, stop = self.known.process.pid, setting("STOP_SECONDS")
        self.say("restarting", f"TERM to process {pid}, KILL after {stop} s")
        try:
            send(self.known.process, signal.SIGTERM)
            if self.known.ended(begun + stop - uptime()):
                say(f"Process {pid} has ended by TERM")
                return
            send(self.known.process, signal.SIGKILL)
        except OSError as error:
            say(f"Cannot signal process {pid}: {error.strerror}")
        if self.known.ended(5):
            say(f"Process {pid} has ended by KILL")
        else:
            self.say("stuck", f"process {pid} does not end")


def main(url: str, records: str, dumps: str, interval: str) -> None:
    """Look until told to end."""
    end_when_told()
    keeper = Keeper(url, Path(records), Path(dumps))
    while True:
        began = time.monotonic()
        try:
            keeper.look()
        except OSError as error:
            # The next look may be better.
            print(f"cannot look: {error}", file=sys.stderr, flush=True)
        keeper.known.record()
        time.sleep(max(0, began + int(interval) - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[2:])
