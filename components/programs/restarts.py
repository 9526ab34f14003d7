"""A list of restarts in a file, each with its second and the process that it ends.

The list is what says that a process is to be ended, so a program that is itself started again goes
on with that restart, and begins no second one. Seconds count from the machine's start.
"""

from pathlib import Path
from typing import NamedTuple

from .basics import publish, text_of, uptime


class Hold(NamedTuple):
    """What keeps the next restart from beginning."""

    by: str
    """`budget` or `backoff`, nothing if it may begin now."""
    left: int
    """Seconds until it may."""
    spent: int
    """How many there have been."""


class Restarts:
    """There are `budget` of them within so many seconds. After the first one `backoff` seconds lie
    before the next, twice as many each time.
    """

    def __init__(self, file: Path, budget: int, within: int, backoff: int) -> None:
        self._file, self._budget, self._within, self._backoff = file, budget, within, backoff

    def hold(self) -> Hold:
        """Whether another one may begin."""
        now = int(uptime())
        seconds = [second for second, _ in self._counting(now)]
        count, by, end = len(seconds), "", now
        if count >= self._budget:
            # A budget of 0 is always used up.
            by, end = "budget", (seconds or [now])[0] + self._within
        elif seconds:
            gap = self._backoff * 2 ** (count - 1)
            by, end = "backoff", seconds[-1] + min(gap, self._within)
        return Hold(by, end - now, count) if end > now else Hold("", 0, count)

    def begin(self, process: str) -> bool:
        """Begin one, which counts from now on. False, and said, if that can't be written down."""
        now = int(uptime())
        lines = [*self._counting(now), (now, process)]
        return publish(self._file, "".join(f"{second} {which}\n" for second, which in lines))

    def begun(self, process: str) -> int | None:
        """When the restart of this process has begun, None if it has not."""
        return {which: second for second, which in self._all()}.get(process)

    def _counting(self, now: int) -> list[tuple[int, str]]:
        # One that is still to come is from before the machine's last start.
        return [each for each in self._all() if now - self._within < each[0] <= now]

    def _all(self) -> list[tuple[int, str]]:
        pairs = [line.partition(" ") for line in text_of(self._file).splitlines()]
        return [(int(second), which) for second, _, which in pairs if second.isdecimal()]
