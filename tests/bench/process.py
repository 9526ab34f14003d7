"""Times whole processes, one after another and in turn."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

from tests.bench.model import Group, Measure
from tools.errors import CommandError
from tools.paths import ROOT

RUNS = 7
"""Counted runs of each side."""


@dataclass(frozen=True)
class Command:
    """A command to be timed."""

    words: Sequence[str]
    folder: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Sample:
    """What one run took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor, children included."""
    peak: float
    """MiB of memory that the largest of its processes had."""
    output: str
    stolen: float = 0.0
    """Seconds of processor that the machine's host gave to others."""


def run(command: Command) -> Sample:
    """Run a command once. Raises CommandError where it fails."""
    with TemporaryDirectory() as folder:
        result = Path(folder, "result")
        done = subprocess.run(
            [sys.executable, "-S", str(_TIMED), str(result), *command.words],
            cwd=command.folder,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"{command.words[0]} can't be run: {done.stderr.strip()}")
        seen = json.loads(result.read_text())
    code = seen.pop("code")
    if code != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        words = " ".join(map(str, command.words))
        raise CommandError(f"`{words}` ended with exit code {code}:\n{tail}")
    return Sample(**seen, output=done.stdout)


_TIMED = Path(__file__).with_name("timed.py")

Work = Callable[[], Sample]


def repeated(command: Command, times: int) -> Work:
    """The mean of so many runs, one after the other: for the second that a short command takes, a
    processor that others use too is fast or slow by chance."""

    return lambda: _mean([run(command) for _ in range(times)])


def apart(command: Command) -> Work:
    """A run that begins a part of a second later, another part each time.

    The kubelet looks at its containers once a second. A command that comes after one that has
    waited for such a look begins at the same moment of that second each time: when it takes a
    little longer than it did, it misses a look each time, and takes a second longer.
    """
    # What of a multiple of the golden ratio is after the point falls into one of the widest gaps
    # of those before, so that as many as there are cover the second evenly.
    parts = (number * (5**0.5 - 1) / 2 % 1 for number in count())

    def work() -> Sample:
        time.sleep(next(parts))
        return run(command)

    return work


def _mean(samples: Sequence[Sample]) -> Sample:
    """Of all of them, with the last one's output."""
    return Sample(
        wall=fmean(sample.wall for sample in samples),
        cpu=fmean(sample.cpu for sample in samples),
        peak=fmean(sample.peak for sample in samples),
        output=samples[-1].output,
        stolen=fmean(sample.stolen for sample in samples),
    )


def middle(samples: Sequence[Sample]) -> Sample:
    """Of an odd number, the one that as many were faster as slower than."""
    return sorted(samples, key=lambda sample: sample.wall)[len(samples) // 2]


STOLEN = 0.02
"""Share of a run's time above which the machine wasn't idle."""


class Timed(Protocol):
    """Anything that took time."""

    @property
    def wall(self) -> float:
        """Seconds."""
        ...

    @property
    def stolen(self) -> float:
        """Seconds of processor that the machine's host gave to others meanwhile."""
        ...


_Timed = TypeVar("_Timed", bound=Timed)


def stolen(a: Sequence[Timed], b: Sequence[Timed]) -> list[float]:
    """The larger share of each pair's."""
    return [max(x.stolen / x.wall, y.stolen / y.wall) for x, y in zip(a, b, strict=True)]


def wall(
    group: Group,
    name: str,
    peer: str,
    a: Sequence[Timed],
    b: Sequence[Timed],
    aim: float | None = None,
) -> Measure:
    """How long one side took beside the other."""
    return Measure(
        group=group,
        name=name,
        peer=peer,
        ours=[sample.wall for sample in a],
        theirs=[sample.wall for sample in b],
        aim=aim,
        stolen=stolen(a, b),
    )


def in_turn(*sides: Callable[[], _Timed], runs: int = RUNS) -> list[list[_Timed]]:
    """The samples of each side: one of each not counted, then A B, B A, A B and so on, so that
    neither always comes after the other.

    What was run while the machine's host gave more than `STOLEN` to others is run again, at most
    `runs` times in all, and what had least of it counts.
    """
    for side in sides:
        side()
    spare = runs
    samples: list[list[_Timed]] = [[] for _ in sides]
    for number in range(runs):
        order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            best = sides[index]()
            while best.stolen > STOLEN * best.wall and spare > 0:
                spare -= 1
                best = min(best, sides[index](), key=lambda it: it.stolen / it.wall)
            samples[index].append(best)
    return samples
