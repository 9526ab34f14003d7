"""A pod whose time passes only when somebody waits: checks can be tried on any behaviour."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from components.checks import Check, Line, Page, UnmetError
from components.manifest import Object

_Seen = TypeVar("_Seen")

START = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
"""When the pod's containers have started."""


def date(seconds: float) -> str:
    """What `date` prints in a container so many seconds after its start."""
    return f"{datetime.fromtimestamp(START + int(seconds), UTC):%a %b %d %H:%M:%S UTC %Y}"


def every(interval: float, text: Callable[[float], str], delay: float = 0) -> list[Line]:
    """Ten minutes of a log with a line in each interval."""
    times = [delay + step * interval for step in range(int(600 / interval))]
    return [Line(START + time, text(time)) for time in times]


@dataclass
class SimulatedPod:
    """What components.checks.Live asks for."""

    within: float
    manifest: Callable[[float], Object] = lambda _: {}
    logs: dict[str, list[Line]] = field(default_factory=dict[str, list[Line]])
    page: Callable[[float], str] = lambda _: ""
    page_seconds: float = 0.002
    answer: Callable[[str, str, float], str] = lambda _container, _command, _now: ""
    """What a command prints in a container."""
    others: tuple[str, ...] = ()
    now: float = 100
    """Seconds after the containers' start."""
    elapsed: float = 0

    def pod(self) -> Object:
        return self.manifest(self.now)

    def neighbours(self) -> list[str]:
        return list(self.others)

    def first_lines(self, container: str) -> list[Line]:
        return self._lines(container)[:10]

    def last_lines(self, container: str, count: int) -> list[Line]:
        return self._lines(container)[-count:]

    def recent_lines(self, container: str, seconds: int) -> list[Line]:
        since = START + self.now - seconds
        return [line for line in self._lines(container) if line.time >= since]

    def _lines(self, container: str) -> list[Line]:
        return [line for line in self.logs[container] if line.time <= START + self.now]

    def run(self, container: str, command: str) -> str:
        return self.answer(container, command, self.now)

    @contextmanager
    def http(self, port: int) -> Generator[Callable[[], Page]]:
        def get() -> Page:
            text = self.page(self.now)
            self._pass(self.page_seconds)
            return Page(text, self.page_seconds)

        assert port == 8080
        yield get

    def pause(self, seconds: float, seen: str = "") -> None:
        if self.elapsed > self.within:
            raise UnmetError(seen)
        self._pass(seconds)

    def until(self, look: Callable[[], _Seen]) -> _Seen:
        while True:
            try:
                return look()
            except UnmetError:
                if self.elapsed > self.within:
                    raise
            self._pass(0.5)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        self.elapsed += seconds


def always(text: str) -> Callable[[str, str, float], str]:
    """What prints the same in every container for every command."""

    def answer(_container: str, _command: str, _now: float) -> str:
        return text

    return answer


def unchanging(manifest: Object) -> Callable[[float], Object]:
    """A pod of which nothing changes."""
    return lambda _: manifest


def looked(check: Check, **pod: Any) -> str:
    """What a check saw that has passed."""
    return check.look(SimulatedPod(check.within, **pod))


def refused(check: Check, **pod: Any) -> str:
    """What a check saw that has not passed."""
    with pytest.raises(UnmetError) as error:
        looked(check, **pod)
    return str(error.value)


def named(checks: list[Check], name: str) -> Check:
    """The check of that name."""
    return next(check for check in checks if check.name == name)
