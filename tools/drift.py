"""What others have changed or deleted in a stack's cluster.

`pulumi refresh --preview-only` reads the cluster and compares it with the state: it runs no
program, changes nothing, and needs no right but to read. With `--json` it ends with 0 whether it
finds something or not, so that a finding is never taken for a failure; `--expect-no-changes` ends
with 255 for both. What only the cluster writes, such as a status, is no drift.
"""

import json
from typing import Any

from tools import engine
from tools.diff.as_markdown import code

COMMAND = ("refresh", "--preview-only", "--json")

_FOUND = {"update": "changed", "delete": "deleted"}
"""What a step that a refresh would do tells of its object."""

_ROWS, _FIELDS = 200, 3
"""What an issue has room for."""


def drift(stack: str) -> list[str]:
    """What differs, a Markdown row each. Raises CommandError if nobody can tell."""
    return rows(json.loads(engine.pulumi(stack, *COMMAND, "--non-interactive", quiet=True)))


def rows(digest: dict[str, Any]) -> list[str]:
    """What differs by what the command prints, a Markdown row each."""
    # Of a stack without anything in it there are no steps.
    return [_row(step) for step in digest.get("steps", []) if step["op"] in _FOUND]


def report(stack: str, rows: list[str]) -> str:
    """What to write into an issue; the first line is there to find it by."""
    more = len(rows) - _ROWS
    return "\n".join(
        [
            f"<!-- sidecar-powers:drift {stack} -->",
            f"Since the last `up` of stack {code(stack)} others have changed its cluster.",
            "",
            "| object | is | fields |",
            "| --- | --- | --- |",
            *rows[:_ROWS],
            *([f"\nand {more} more."] if more > 0 else []),
            "",
            f"`pulumi refresh --preview-only --diff -s {stack}` shows the values, and"
            f" `make up STACK={stack}` puts the program's in their place. To keep what is there,"
            " change the program.",
            "",
        ]
    )


def _row(step: dict[str, Any]) -> str:
    _, _, kind, name = step["urn"].rsplit("::", 3)
    fields: list[str] = sorted(step.get("detailedDiff") or step.get("diffReasons") or [])
    item = code(f"{kind.rpartition(':')[2]} {name}", in_table=True)
    named = [code(field, in_table=True) for field in fields[:_FIELDS]]
    if len(fields) > _FIELDS:
        named.append(f"and {len(fields) - _FIELDS} more")
    return f"| {item} | {_FOUND[step['op']]} | {', '.join(named)} |"
