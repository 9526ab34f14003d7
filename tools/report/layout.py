"""Where everything stands in the picture of a pod.

It is as narrow as a phone, so that one layout serves all screens. The containers stand below each
other in the order of starting. Each volume is a line on their right, to which those are tied that
mount it; the lines end at the volumes' names, further down. A signal is an arrow on their left.
Names that are longer than their room are cut.
"""

from collections.abc import Mapping, Sequence

from components.usage import Usage
from tools.report.model import Container, Volume, Workload
from tools.report.shapes import Arrow, Bar, Card, Line, Picture, Tie
from tools.report.words import amounts

WIDTH = 340
_MARGIN = 12
_HEAD = 34
"""The pod's own line."""
_CARD = 106
_GAP = 12
_BOX = 34
_LANE = 18
"""Between two volumes' lines, and two signals', as long as there are few."""
_PAD = 12
_LETTER = 7.8
"""Width of a letter in a name: they are of fixed width."""
_SMALL = 6.6
"""About as wide is a letter in other texts."""


def laid_out(workload: Workload) -> Picture:
    """The picture of one of a workload's pods."""
    left, signal_lane = _side(len(workload.signals), 2)
    side, lane = _side(len(workload.volumes), 3)
    right = WIDTH - side
    tops = {
        container.name: _HEAD + place * (_CARD + _GAP)
        for place, container in enumerate(workload.containers)
    }
    below = _HEAD + len(tops) * (_CARD + _GAP)
    cards = [
        _card(container, left, tops[container.name], right - left, workload.containers)
        for container in workload.containers
    ]
    arrows = [
        Arrow(
            signal.name or "signal",
            left - 6 - signal_lane * (place + 0.5),
            tops[signal.sender] + _CARD / 2,
            tops[signal.target] + _CARD / 2,
        )
        for place, signal in enumerate(workload.signals)
    ]
    lines = [
        _line(
            volume,
            right + 6 + lane * (place + 0.5),
            below + place * (_BOX + 6),
            workload.containers,
            tops,
        )
        for place, volume in enumerate(workload.volumes)
    ]
    height = (lines[-1].box + _BOX if lines else below - _GAP) + _MARGIN
    return Picture(height, left, right, cards, lines, arrows)


def _side(lines: int, most: int) -> tuple[float, float]:
    """The room beside the cards for so many lines, and between two of them: no more than for
    `most` lines that stand at ease, since the cards need theirs."""
    lane = _LANE * min(1, most / max(lines, 1))
    return _MARGIN + (lane * lines + 6 if lines else 0), lane


def _card(
    container: Container, x: float, y: float, width: float, others: Sequence[Container]
) -> Card:
    room = width - 2 * _PAD
    bars = [
        _bar(name, container.usage, y + 58 + 24 * place, room, others)
        for place, name in enumerate(("cpu", "memory"))
    ]
    return Card(container, cut(container.name, (room - 26) / _LETTER), x, y, width, _CARD, bars)


def _bar(name: str, usage: Usage, y: float, room: float, others: Sequence[Container]) -> Bar:
    """In the scale of the pod: its largest amount is as long as the room."""
    parts = (f"requests.{name}", f"limits.{name}")
    largest = max(other.usage.get(part, 0) for other in others for part in parts)
    request, limit = (float(usage.get(part, 0) / (largest or 1)) * room for part in parts)
    label = "CPU" if name == "cpu" else name
    return Bar(label, cut(amounts(usage, name), (room - 50) / _SMALL), y, request, limit)


def _line(
    volume: Volume,
    x: float,
    box: float,
    containers: Sequence[Container],
    tops: Mapping[str, float],
) -> Line:
    ties = [
        Tie(
            x,
            tops[container.name] + (order + 1) * _CARD / (len(container.mounts) + 1),
            mount.read_only,
        )
        for container in containers
        for order, mount in enumerate(container.mounts)
        if mount.volume == volume.name
    ]
    width = x - 9 - _MARGIN
    return Line(
        volume,
        cut(volume.name, (width - 44) / _LETTER),
        cut(
            f"{volume.kind}: {volume.detail}" if volume.detail else volume.kind,
            (width - 44) / _SMALL,
        ),
        x,
        min((tie.y for tie in ties), default=box),
        box,
        width,
        ties,
    )


def cut(text: str, letters: float) -> str:
    """The text, if it is longer only its beginning."""
    most = max(int(letters), 1)
    return text if len(text) <= most else f"{text[: most - 1]}…"
