"""The results as docs/benchmarks.md with a chart, and as JSON beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.bench.model import PACE_MS, Group, Measure, Results
from tools.paths import ROOT

JSON = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
CHART = ROOT / "docs" / "benchmarks.svg"
_FOLDER = Path(__file__).parent


def write(results: Results) -> None:
    """Write all three."""
    JSON.write_text(results.model_dump_json(indent=1) + "\n")
    PAGE.write_text(rendered("page.md", results))
    CHART.write_text(rendered("chart.svg", results))


def read() -> Results | None:
    """The results of the last run, if there was one."""
    return Results.model_validate_json(JSON.read_text()) if JSON.exists() else None


def rendered(template: str, results: Results) -> str:
    """A page of these results."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=template.endswith(".svg"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    groups = {
        name: [measure for measure in results.measures if measure.group == name]
        for name in get_args(Group)
    }
    return environment.get_template(template).render(
        results=results,
        roles=sorted({role for item in results.scales for role in item.memory}),
        groups={name: measures for name, measures in groups.items() if measures},
        paces={
            name: median(paces)
            for name, measures in groups.items()
            if (paces := [item.pace for item in measures if item.pace])
        },
        aimed=[item for group in groups.values() for item in group if item.aim is not None],
        pace_ms=PACE_MS,
        figure=figure,
        ratio=ratio,
    )


def compared(found: Sequence[Measure], before: Results) -> Iterator[str]:
    """What is no more as it was, then how much is."""
    pairs = [(now, then) for now in found if (then := before.find(now))]
    differ = [(now, then) for now, then in pairs if not now.repeats(then)]
    for now, then in differ:
        paces = [f"{item.pace:.1f} ms" if item.pace else "unknown" for item in (now, then)]
        yield (
            f"{now.name}: {ratio(now.ratio)} of {now.peer}, {ratio(then.ratio)} before; "
            f"the fixed work took {paces[0]}, before {paces[1]}"
        )
    yield f"{len(pairs) - len(differ)} of {len(pairs)} ratios are within 15 % of those before"


def figure(measure: Measure, values: list[float]) -> str:
    """The median of a side, with its unit."""
    value = median(values)
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {measure.unit.replace('mCPU', 'm')}"


def ratio(value: float) -> str:
    """A ratio as people read it."""
    return f"{value:.{3 if value < 0.1 else 2}f}"
