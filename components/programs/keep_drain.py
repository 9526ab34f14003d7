"""keep-drain DIRECTORY PORT READY_PORT DRAIN INTERVAL: answer /ready at READY_PORT while this pod
does not drain, and report how it drains: what becomes of the connections to PORT, in which order
what ends. /in-flight tells how many connections there are, at any time.

DIRECTORY has what the preStop hook and the app say. DRAIN is how many seconds the app may take,
INTERVAL how many pass between two looks if nothing tells of a change.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from types import FrameType

from .answers import Answers
from .basics import heed_term, say
from .changes import Changes
from .connections import in_flight

SECOND = 1_000_000_000
"""In nanoseconds, as all times here are: since 1970."""

STEPS = SECOND // 50
"""The clock of files goes in steps of up to 10 ms, and so does nginx's: what takes just its time
may look as if it had taken less.
https://man7.org/linux/man-pages/man2/clock_getres.2.html
"""


class Phase(Enum):
    """How far the pod is."""

    STARTING = auto()
    """Nothing is known of it yet."""
    SERVING = auto()
    DRAINING = auto()
    """The preStop hook waits."""
    STOPPING = auto()
    """The app finishes what is in flight."""
    ENDED = auto()
    """The app has ended."""


class Keeper:
    """Follows what becomes of the pod, and says it."""

    def __init__(self, directory: Path, port: int, drain: int) -> None:
        self._directory, self._port, self._drain = directory, port, drain * SECOND
        self._phase = Phase.STARTING
        self._said = 0
        """The count that was said last."""
        self._left = 0
        """The last count while the app still had time."""
        self.pipe: list[int] = []
        """What is readable once no process of the app's runs any more, while that matters."""

    @property
    def reports(self) -> bool:
        """Whether the pod drains and the app has not ended: this ends after what it reports."""
        return self._phase in (Phase.DRAINING, Phase.STOPPING)

    def answer(self, path: str) -> str | None:
        """What is answered to a GET of that path, None if it is not found."""
        if path == "/in-flight":
            return f"{in_flight(self._port)}\n"
        return "ready\n" if path == "/ready" and self._phase is Phase.SERVING else None

    def look(self) -> None:
        """See what has changed, and say it."""
        if self._written("draining") is None:
            self._serve()
        elif self._phase is not Phase.ENDED:
            self._follow()

    def _serve(self) -> None:
        if self._phase is not Phase.SERVING:
            # The app alone has ended before, and started again in a pod that stays.
            line("ready" if self._phase is Phase.STARTING else "ready again")
            self._phase = Phase.SERVING
            self._let_go()

    def _follow(self) -> None:
        # The time first: counting takes a moment where many have come and gone.
        noticed, count = now(), in_flight(self._port)
        if self._phase in (Phase.STARTING, Phase.SERVING):
            self._phase = Phase.DRAINING
            self._count(count, "unready, ", noticed)
            self._hold()
        # What the app says, it says before it ends.
        runs = self._runs()
        stopping, stopped = self._written("stopping"), self._written("stopped")
        if self._phase is Phase.DRAINING and stopping is not None:
            self._phase = Phase.STOPPING
            self._count(count, "preStop over, ", stopping)
        if not runs:
            self._end(stopping, stopped)
        elif stopped is None:
            if count != self._said:
                self._count(count)
            # Later counts may miss some of what is being cut off.
            if not self._late(stopping, now()):
                self._left = count

    def _end(self, stopping: int | None, stopped: int | None) -> None:
        self._phase = Phase.ENDED
        self._let_go()
        if stopped is None:
            line(f"app was killed, {self._said} in flight")
        elif self._late(stopping, stopped):
            over = f"its {self._drain // SECOND} s were over"
            line(f"app ended, {over}: {self._left} in flight cut off", stopped)
        else:
            line("app ended", stopped)

    def _count(self, count: int, event: str = "", when: int | None = None) -> None:
        self._said = count
        line(f"{event}{count} in flight", when)

    def _late(self, stopping: int | None, when: int) -> bool:
        """Whether the app's time to drain was over then. One that takes all its time has requests
        left.
        """
        return stopping is not None and when - stopping >= self._drain - STEPS

    def _written(self, mark: str) -> int | None:
        """When that file was written, None if it is not there."""
        try:
            return (self._directory / mark).stat().st_mtime_ns
        except OSError:
            return None

    def _hold(self) -> None:
        """Open the pipe that the app holds open: it ends with the last of the app's processes,
        however they end.
        """
        with suppress(OSError):
            self.pipe = [os.open(self._directory / "alive", os.O_RDONLY | os.O_NONBLOCK)]

    def _runs(self) -> bool:
        """Whether a process of the app's holds the pipe open."""
        try:
            # At its end nothing is read, and that at once.
            return any(os.read(pipe, 1) for pipe in self.pipe)
        except BlockingIOError:
            return True
        except OSError:
            # The app may have put something else there.
            return False

    def _let_go(self) -> None:
        for pipe in self.pipe:
            os.close(pipe)
        self.pipe = []


def now() -> int:
    """This moment by the clock of files, CLOCK_REALTIME_COARSE, a few milliseconds behind others:
    a line about a file that is written after this has a later time.
    """
    return time.clock_gettime_ns(5)


def line(text: str, when: int | None = None) -> None:
    """A line of the log with that time, this moment's if there is none, to the millisecond."""
    seconds, rest = divmod(now() if when is None else when, SECOND)
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    say(f"{clock}.{rest // 1_000_000:03} {text}")


def told_to_end() -> int:
    """What is readable once this program has been told to end."""
    reader, writer = os.pipe()

    def tell(_number: int, _frame: FrameType | None) -> None:
        os.write(writer, b"\n")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, tell)
    heed_term()
    return reader


def main(directory: str, port: str, ready_port: str, drain: str, interval: str) -> None:
    """Look when something has changed, and every so often; answer whoever asks."""
    told, ending = told_to_end(), False
    keeper = Keeper(Path(directory), int(port), int(drain))
    changes = Changes(Path(directory))
    try:
        answers = Answers(int(ready_port), keeper.answer)
    except OSError as error:
        sys.exit(f"Nothing answers at port {ready_port}: {error.strerror}")
    keeper.look()
    # Classic sidecars are told to end with the app and not after it.
    while keeper.reports or not ending:
        wakes = [told, changes.descriptor, *keeper.pipe, *answers.sockets]
        readable, _, _ = select.select(wakes, [], [], 1 if keeper.reports else float(interval))
        if told in readable:
            ending = bool(os.read(told, 64))
        changes.wait(0)
        # Before anybody is answered, so that nobody is told what was true before.
        keeper.look()
        answers.heed(readable)
    line("keeper ends")


if __name__ == "__main__":
    main(*sys.argv[2:])
