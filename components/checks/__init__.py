"""What proves that a pattern's power works: a file a pattern, beside its component.

`checks(args)` takes the component's arguments and returns what must become true
of each of its pods, how it is seen and within how long. A check sees a pod only
through `Live`, so that it knows neither client nor cluster; `make verify` runs
them.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from ..manifest import Object

_Seen = TypeVar("_Seen")

SLACK = 15
"""Seconds that a check allows for the way there and back, beside the demo's own intervals."""

SYNC = 90
"""Seconds within which the kubelet brings a changed ConfigMap or Secret into a pod.
https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically"""


class UnmetError(Exception):
    """A check does not pass; the text is what was seen instead."""


@dataclass(frozen=True)
class Line:
    """A line of a container's log."""

    time: float
    """When the container wrote it, in seconds by the node's clock."""

    text: str


@dataclass(frozen=True)
class Page:
    """What a server answered to GET /."""

    text: str

    seconds: float
    """How long it took."""


class Live(Protocol):
    """A running pod. What can't be seen raises UnmetError with the reason.

    A look that fails on its way is repeated as long as there is time.
    """

    @property
    def elapsed(self) -> float:
        """Seconds since the check began."""
        ...

    def pod(self) -> Object:
        """The pod, with its status, as the API server has it now."""
        ...

    def neighbours(self) -> list[str]:
        """Names of the other pods of its namespace."""
        ...

    def first_lines(self, container: str) -> list[Line]:
        """The beginning of a container's log."""
        ...

    def last_lines(self, container: str, count: int) -> list[Line]:
        """So many lines of a container's log."""
        ...

    def recent_lines(self, container: str, seconds: int) -> list[Line]:
        """What a container has written within so many seconds."""
        ...

    def run(self, container: str, command: str) -> str:
        """What a shell command in a container prints, errors included."""
        ...

    def http(self, port: int) -> AbstractContextManager[Callable[[], Page]]:
        """A function that does one GET / at a port of the pod each time it is called."""
        ...

    def pause(self, seconds: float, seen: str = "") -> None:
        """Let time pass. Raises UnmetError with what was seen when the check's time is up."""
        ...

    def until(self, look: Callable[[], _Seen]) -> _Seen:
        """What `look` returns once it raises UnmetError no more, which must be in time."""
        ...


@dataclass(frozen=True)
class Check:
    """What must become true of a pod."""

    name: str

    expected: str
    """A sentence for a person."""

    within: float
    """Seconds."""

    look: Callable[[Live], str]
    """Returns what was seen, raises UnmetError with what was seen instead."""


def parse_date(text: str) -> float | None:
    """Seconds since the epoch of what `date` prints in a container, None if it is no date.

    Containers have no other time zone than UTC.
    """
    try:
        date = datetime.strptime(" ".join(text.split()), "%a %b %d %H:%M:%S UTC %Y")
    except ValueError:
        return None
    return date.replace(tzinfo=UTC).timestamp()


def newest(live: Live, container: str) -> float:
    """The time of a container's last line; a runtime that has just started shows none at first."""

    def look() -> float:
        lines = live.last_lines(container, 1)
        if not lines:
            raise UnmetError(f"nothing in the log of {container}")
        return lines[-1].time

    return live.until(look)


def read_only(container: str, directory: str) -> Check:
    """The check that a container can't write to a directory."""
    file = f"{directory}/verify"

    def look(live: Live) -> str:
        seen = live.run(container, f"echo x >{file} && rm {file} && echo written")
        if "Read-only file system" not in seen:
            raise UnmetError(f"writing {file} answered {seen.strip()!r}")
        return "Read-only file system"

    return Check(
        f"{container} can't write",
        f"writing to {directory} in {container} is refused: read-only file system",
        SLACK,
        look,
    )
