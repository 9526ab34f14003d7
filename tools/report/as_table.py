"""A report as tables for a terminal."""

from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.usage import RESOURCE_NAMES, Usage, texts
from tools.report.model import Report, Workload
from tools.report.words import amounts, share
from tools.text import printable

_HEADS = ("CPU", "memory", "storage")


def show(report: Report) -> str:
    """All of it but the pictures."""
    # A terminal's width; a log has room.
    console = Console(width=None if Console().is_terminal else 160)
    with console.capture() as capture:
        console.print(Group(*map(_workload, report.workloads), _totals(report)))
        for line in report.exceeded:
            console.print(_text(line, "bold red"))
    return capture.get().rstrip()


def _workload(workload: Workload) -> RenderableType:
    number = "1 pod" if workload.replicas == 1 else f"{workload.replicas} pods"
    title = f"{workload.name}: {workload.kind}, {number}, {workload.qos_class}"
    table = Table("container", "", *_HEADS, box=None, title_justify="left")
    for container in workload.containers:
        table.add_row(_text(container.name), _text(container.role), *_row(container.usage))
    table.add_row(_text("each pod", "bold"), "", *_row(workload.usage, "bold"))
    return Group(_text(title, "bold"), table, "")


def _row(usage: Usage, style: str = "") -> list[Text]:
    return [_text(amounts(usage, name), style) for name in RESOURCE_NAMES]


def _totals(report: Report) -> RenderableType:
    table = Table("all pods", "", "of the budget", "of the quota", box=None)
    for key, amount in texts(report.totals).items():
        shares = (_share(report, key, limits) for limits in (report.budget, report.quota))
        table.add_row(_text(key), _text(amount), *shares)
    return table


def _share(report: Report, key: str, limits: Mapping[str, str]) -> Text:
    if key not in limits:
        return _text("none", "dim")
    part, text = share(report.totals[key], limits[key])
    return _text(text, "bold red" if part > 100 else "")


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
