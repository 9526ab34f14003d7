"""What the picture of a pod is made of; lengths are pixels, from the upper left."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.report.model import Container, Volume


@dataclass(frozen=True)
class Bar:
    """A request within a limit."""

    label: str
    text: str
    y: float
    request: float
    limit: float
    """0 if there is none."""


@dataclass(frozen=True)
class Card:
    """A container."""

    container: Container
    name: str
    x: float
    y: float
    width: float
    height: float
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Tie:
    """Where a container mounts a volume."""

    x: float
    y: float
    read_only: bool


@dataclass(frozen=True)
class Line:
    """A volume: its line, and the box with its name at the line's end."""

    volume: Volume
    name: str
    detail: str
    x: float
    y: float
    box: float
    """The top of its box."""
    width: float
    ties: Sequence[Tie]


@dataclass(frozen=True)
class Arrow:
    """A signal, from the height of its sender to that of its target."""

    name: str
    x: float
    sender: float
    target: float


@dataclass(frozen=True)
class Picture:
    """All of it. Cards begin at `left` and end at `right`."""

    height: float
    left: float
    right: float
    cards: Sequence[Card]
    lines: Sequence[Line]
    arrows: Sequence[Arrow]
