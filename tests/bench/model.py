"""What a measurement has found, as it is kept in docs/benchmarks.json."""

from collections.abc import Sequence
from statistics import median
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["Render", "Deploy", "Run", "Idle", "Growth"]

REPEATS = 1.15
"""What two runs may differ by."""

PACE_MS = 16.5
"""What the fixed piece of work takes on the processor that is told of where a peer waits."""


class Measure(BaseModel):
    """A figure of ours beside that of a peer doing the same work, taken in turn."""

    model_config = ConfigDict(extra="forbid")

    group: Group
    """Heading under which the page shows it."""
    name: str
    """What is measured."""
    peer: str
    """What it is held against."""
    unit: Literal["s", "MiB", "mCPU", "processes/min", "requests", "objects"] = "s"
    ours: list[float]
    """A figure a run."""
    theirs: list[float]
    """The peer's, run by run; one alone is a published or a fixed figure."""
    aim: float | None = None
    """The ratio not to be exceeded; None is reported without one."""
    stolen: list[float] = Field(default_factory=list[float])
    """Share of each pair's time that the machine's host gave to others; empty if not known."""
    pace: float | None = None
    """Milliseconds that a fixed piece of work took meanwhile; None if not known."""
    waits: bool = False
    """Whether the peer's time is waited for, which a slower processor makes no longer."""
    reference: float | None = None
    """What a program of the same kind that always does the same took meanwhile, in what it takes on
    the processor that processor time is told of; None if there was none."""
    note: str = ""
    """What the figures don't say."""

    @property
    def told(self) -> list[float]:
        """Ours as it is compared, on the processor that is told of: a slower one needs more for the
        same, and neither a published figure nor what waits becomes slower with it."""
        slower = self.pace / PACE_MS if self.waits and self.pace else self.reference or 1
        return [value / slower for value in self.ours]

    @property
    def ratio(self) -> float:
        """The median of the ratios of runs that followed each other."""
        theirs = self.theirs if len(self.theirs) > 1 else self.theirs * len(self.told)
        return median(a / b for a, b in zip(self.told, theirs, strict=True))

    @property
    def met(self) -> bool:
        """Whether its aim is met; true where it has none."""
        return self.aim is None or self.ratio <= self.aim

    def repeats(self, before: "Measure") -> bool:
        """Whether the larger of both ratios is at most `REPEATS` times the smaller."""
        low, high = sorted((self.ratio, before.ratio))
        return high <= REPEATS * low


class Scale(BaseModel):
    """A large stack, deployed once on simulated nodes."""

    model_config = ConfigDict(extra="forbid")

    instances: int
    """Demo instances."""
    side: str
    """Ours, or the same objects registered by a plain program."""
    complete: bool
    """Whether the update came to its end."""
    preview: float
    """Seconds, of nothing that exists."""
    up: float
    """Seconds, or those after which it was ended."""
    unchanged: float | None
    """Seconds of an update that changes nothing."""
    memory: dict[str, float]
    """MiB that each process had at most, during the first update."""
    requests: dict[str, int]
    """Requests to the API server by verb, during the first update."""
    state: float
    """MiB of the stack's state."""


class Results(BaseModel):
    """All figures of one run, and where they were taken."""

    model_config = ConfigDict(extra="forbid")

    machine: dict[str, str]
    """Processor, cores, memory, kernel."""
    versions: dict[str, str]
    """Version by program."""
    measures: list[Measure] = Field(default_factory=list[Measure])
    profile: dict[str, float] = Field(default_factory=dict[str, float])
    """Share of each owner of code in the time of a large render."""
    scales: list[Scale] = Field(default_factory=list[Scale])
    engine: dict[str, float] = Field(default_factory=dict[str, float])
    """Share of what it does for the state in the engine's processor time, large stack deployed."""
    state: dict[str, float] = Field(default_factory=dict[str, float])
    """Share of parts of its resources in the state of a large stack."""
    programs: dict[str, tuple[float, float, float]] = Field(
        default_factory=dict[str, tuple[float, float, float]]
    )
    """MiB of memory of the interpreter, a program's imports and its own code, by program, before
    it does anything."""

    def replace(self, measures: Sequence[Measure]) -> None:
        """Take new figures instead of all that their groups had."""
        new = {measure.group for measure in measures}
        self.measures = [*(item for item in self.measures if item.group not in new), *measures]

    def find(self, measure: Measure) -> Measure | None:
        """The same measure in these results, if they have it."""
        what = (measure.name, measure.peer)
        return next((item for item in self.measures if (item.name, item.peer) == what), None)


Object = dict[str, Any]
