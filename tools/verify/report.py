"""Shows results as a table, JSON or JUnit XML."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from xml.etree import ElementTree

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tools.text import printable
from tools.verify import Result

FORMATS = ("table", "json", "junit")


def show(results: Sequence[Result], stack: str, form: str) -> str:
    """All results, in one of FORMATS."""
    if form == "json":
        passed = all(result.passed for result in results)
        return json.dumps(
            {"stack": stack, "passed": passed, "checks": [asdict(item) for item in results]},
            indent=2,
        )
    if form == "junit":
        return _junit(results, stack)
    # A terminal's width; a log has room.
    console = Console(width=None if Console().is_terminal else 160)
    with console.capture() as capture:
        console.print(_table(results))
    return capture.get().rstrip()


def _place(result: Result) -> str:
    return f"{result.demo} ({result.pod})" if result.pod else result.demo


def _table(results: Sequence[Result]) -> RenderableType:
    several = {
        result.demo
        for result in results
        if len({other.pod for other in results if other.demo == result.demo and other.pod}) > 1
    }
    table = Table("demo", "check", "result", "time", "seen", box=None)
    table.columns[3].justify = "right"
    for result in results:
        table.add_row(
            # One pod needs no name.
            Text(_place(result) if result.demo in several else result.demo),
            Text(result.check),
            Text("passed", "green") if result.passed else Text("FAILED", "bold red"),
            Text(f"{result.seconds:.1f} s"),
            Text(printable(result.seen)),
        )
    failed = [result for result in results if not result.passed]
    count = f"{len(results) - len(failed)} of {len(results)} checks passed"
    return Group(table, *map(_failure, failed), Text(f"\n{count}"))


def _failure(result: Result) -> Text:
    return Text(f"\n{_place(result)}: {result.check}\n{_story(result)}")


def _story(result: Result) -> str:
    """Of a check that has failed."""
    causes = [f"  cause     {cause}" for cause in result.causes]
    text = [f"  expected  {result.expected}", f"  seen      {result.seen}", *causes]
    return printable("\n".join(item.replace("\n", "\n            ") for item in text))


def _junit(results: Sequence[Result], stack: str) -> str:
    """As CI systems read it: https://github.com/testmoapp/junitxml"""
    failures = sum(not result.passed for result in results)
    suite = ElementTree.Element(
        "testsuite", name=f"verify {stack}", tests=str(len(results)), failures=str(failures)
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=_place(result),
            name=result.check,
            time=f"{result.seconds:.3f}",
        )
        if result.passed:
            ElementTree.SubElement(case, "system-out").text = printable(result.seen)
        else:
            failure = ElementTree.SubElement(case, "failure", message=printable(result.seen))
            failure.text = _story(result)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
