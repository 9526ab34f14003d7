"""The time that a check has."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from components.checks import UnmetError

_Seen = TypeVar("_Seen")

_POLL = 0.5
"""Seconds between two looks at the same thing, at first."""

_PATIENT = 0.01
"""Whoever has waited long can wait this part of it longer for the next look."""


class UnseenError(UnmetError):
    """What should be looked at could not be reached just now: that says nothing of it."""


class Patience:
    """So many seconds, unless somebody stops all checks."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._start, self._seconds, self._stop = time.monotonic(), seconds, stop

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds; 0 or less when it is over."""
        return 0 if self._stop.is_set() else self._seconds - self.elapsed

    def pause(self, seconds: float, seen: str = "") -> None:
        """Let time pass. Raises UnmetError with what was seen when it is over."""
        if self.left <= 0:
            raise UnmetError(seen or "not in time")
        self._stop.wait(seconds)

    def until(self, look: Callable[[], _Seen]) -> _Seen:
        """What `look` returns once it raises UnmetError no more, which must be in time."""
        return self._repeated(look, UnmetError)

    def reached(self, look: Callable[[], _Seen]) -> _Seen:
        """What `look` returns once it raises UnseenError no more, which must be in time."""
        return self._repeated(look, UnseenError)

    def _repeated(self, look: Callable[[], _Seen], error: type[UnmetError]) -> _Seen:
        while True:
            try:
                return look()
            except error:
                if self.left <= 0:
                    raise
            self._stop.wait(max(_POLL, self.elapsed * _PATIENT))
