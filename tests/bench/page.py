"""The results as docs/benchmarks.md with a chart, and as JSON beside it."""

from pathlib import Path
from statistics import median
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.bench.model import Group, Measure, Results
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
        aimed=[item for group in groups.values() for item in group if item.aim is not None],
        figure=figure,
        ratio=ratio,
    )


def figure(measure: Measure, values: list[float]) -> str:
    """The median of a side, with its unit."""
    value = median(values)
    digits = 3 if value < 0.1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {measure.unit.replace('mCPU', 'm')}"


def ratio(value: float) -> str:
    """A ratio as people read it."""
    return f"{value:.{3 if value < 0.1 else 2}f}"
