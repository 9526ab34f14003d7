"""Each signal is answered, and nothing but the app gets one.

What gets a signal that it does not handle ends. Of processes that come and go in
less than a second nobody can tell why they ended.
"""

from dataclasses import dataclass

from ..signal import SignalArgs
from . import SLACK, Check, Line, Live, UnmetError, newest
from .status import statuses

SIGNALS = 2
"""How many signals a check waits for."""

ANSWER = 1
"""Seconds within which the app answers a signal."""

STAMPS = 0.5
"""Seconds by which an answer may seem to come before its signal: a line's time is that of its
reader, each container has one of its own, and on a busy node each may be late."""

# Per process its stat line and its command line.
_PROCESSES = r"""
read -r uptime _ </proc/uptime
echo "$uptime"
for process in /proc/[0-9]*; do
  read -r stat <$process/stat && echo "$stat $(tr '\0\n' '  ' <$process/cmdline)"
done 2>/dev/null
"""
_TICKS = 100
"""Of /proc/PID/stat, a second."""


@dataclass(frozen=True)
class _Process:
    name: str
    parent: int
    arguments: str
    start: float
    """Seconds after the machine's start."""

    @property
    def end(self) -> float:
        """When it ends by itself, as far as that is known: the sleeping ones say it."""
        seconds = self.arguments.split()[-1:] if self.name == "sleep" else []
        return self.start + int(seconds[0]) if seconds and seconds[0].isdecimal() else float("inf")


def checks(args: SignalArgs) -> list[Check]:
    """What must be true of a pod of Signal."""
    interval = args.get("interval_seconds", 10)
    message = args.get("message", "Received SIGHUP!").split("\n")[0]

    def answered(live: Live) -> str:
        start = newest(live, "signal-sender")
        delays: list[float] = []
        while len(delays) < SIGNALS:
            signal = live.until(lambda after=start: _next(live, after, len(delays)))
            delays.append(live.until(lambda signal=signal: _answered(live, signal, message)))
            start = signal.time
        slowest = max(1, round(max(delays) * 1000))
        return f"{len(delays)} signals, answered within {slowest} ms"

    def nothing_else(live: Live) -> str:
        containers, start = _containers(live), newest(live, "signal-sender")
        before, _ = _processes(live)
        # Long intervals need no look a second.
        pace = max(ANSWER, interval / 60)
        while True:
            signals = _sent(live, start)
            live.pause(pace, _too_few(live, len(signals)))
            after, now = _processes(live)
            for key in before.keys() - after.keys():
                if now < before[key].end - 0.5 and _lasts(before[key]):
                    raise UnmetError(f"process {key[0]} ({before[key].name}) ended at a signal")
            if _containers(live) != containers:
                raise UnmetError("a container was started again")
            if len(signals) >= SIGNALS:
                return f"{len(signals)} signals, and none of {len(after)} processes ended"
            before = after

    return [
        Check(
            "signals answered",
            f"each line of the sender is answered by {message!r} in the app's log"
            f" within {ANSWER} s",
            SIGNALS * interval + SLACK,
            answered,
        ),
        Check(
            "only the app",
            "no other process gets a signal: none ends before its time, no container restarts",
            SIGNALS * interval + 2 * SLACK,
            nothing_else,
        ),
    ]


def _sent(live: Live, after: float) -> list[Line]:
    """The signals that the sender has sent since then."""
    lines = live.last_lines("signal-sender", 1000)
    return [line for line in lines if line.time > after and line.text.startswith("Sending SIGHUP")]


def _next(live: Live, after: float, sent: int) -> Line:
    """The first signal since then."""
    signals = _sent(live, after)
    if not signals:
        raise UnmetError(_too_few(live, sent))
    return signals[0]


def _answered(live: Live, signal: Line, message: str) -> float:
    """Seconds from a signal to its answer."""
    lines = live.recent_lines("main-app", round(live.elapsed) + 2 * SLACK)
    delays = [line.time - signal.time for line in lines if line.text == message]
    answers = [delay for delay in delays if -STAMPS < delay <= ANSWER]
    if not answers:
        others = [f"{delay:+.1f} s" for delay in delays if abs(delay) < SLACK] or ["none"]
        raise UnmetError(f"a signal without an answer; those around it: {', '.join(others)}")
    return answers[0]


def _too_few(live: Live, sent: int) -> str:
    last = "".join(line.text for line in live.last_lines("signal-sender", 1))
    return f"{sent} signals sent; the sender's last line is {last!r}"


def _containers(live: Live) -> list[str]:
    """The identities of the containers: a new one each time that one is started."""
    return [status.get("containerID", "") for status in statuses(live.pod()).values()]


def _lasts(process: _Process) -> bool:
    """Whether it is one that lasts, or says how long: others come and go."""
    return process.end < float("inf") or process.parent == 0


def _processes(live: Live) -> tuple[dict[tuple[int, float], _Process], float]:
    """The pod's processes by pid and start, and the time, in seconds after the machine's start.

    Left out are those that somebody runs in its containers beside what they run themselves.
    """
    seen = live.run("signal-sender", _PROCESSES)
    uptime, *lines = seen.splitlines() or [""]
    found: dict[tuple[int, float], _Process] = {}
    for line in lines:
        # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, from its third field on
        pid, _, rest = line.partition(" (")
        name, _, rest = rest.partition(") ")
        fields = rest.split(" ", 50)
        if len(fields) < 51:
            continue
        start = int(fields[19]) / _TICKS
        found[int(pid), start] = _Process(name, int(fields[1]), fields[50], start)
    own = {1}
    for container in ("main-app", "signal-sender"):
        # Its name is an argument of the shell that runs its script.
        first = [
            pid
            for (pid, _), process in found.items()
            if process.parent == 0 and f" {container} " in process.arguments
        ]
        if not first:
            raise UnmetError(f"the processes of {container} can't be seen in signal-sender")
        own.update(first)
    return {
        key: process for key, process in found.items() if key[0] in own or process.parent in own
    }, float(uptime)
