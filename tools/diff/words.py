"""How objects, values and counts are written, whatever the format."""

import difflib
import json
from typing import Any

from tools.diff.fields import is_list, is_map, without_secrets, written
from tools.diff.model import Diff, Field, Item, StackDiff, Status, Verdict
from tools.text import printable

_COUNTED = {
    Verdict.CREATE: "to create",
    Verdict.UPDATE: "to update",
    Verdict.REPLACE: "to replace",
    Verdict.DELETE: "to delete",
    Verdict.NONE: "unchanged",
}


def counts(stack: StackDiff) -> str:
    """How many objects have which verdict: `1 to update, 13 unchanged`."""
    found = {words: stack.count(verdict) for verdict, words in _COUNTED.items()}
    return ", ".join(f"{number} {words}" for words, number in found.items() if number)


def title(stack: StackDiff, base: str) -> str:
    """What is to be said of a stack in a line, its name aside."""
    if stack.status is Status.FAILED:
        return "can't be rendered in the work tree"
    if stack.status is Status.INCOMPARABLE:
        there = len(stack.objects)
        after = f"; the work tree has {there} objects" if there else ""
        return f"can't be compared, since {base} can't be rendered{after}"
    if stack.status in (Status.ADDED, Status.REMOVED):
        return f"stack {stack.status}, {counts(stack)}"
    return counts(stack)


def named(item: Item) -> str:
    """An object as kubectl users know it: `Deployment here/signal-demo`."""
    place = f"{item.namespace}/{item.name}" if item.namespace else item.name
    return printable(f"{item.kind} {place}").replace("\n", " ")


def place(field: Field) -> str:
    """A field's path on one line."""
    return printable(written(field.path)).replace("\n", " ")


def marks(field: Field) -> str:
    """What else is to be known of a field, in parentheses."""
    found = [
        *(["in another order"] if field.reordered else []),
        *(["replaces"] if field.replaces else []),
        *(["ignored: Pulumi keeps what is deployed"] if field.ignored else []),
    ]
    return f" ({', '.join(found)})" if found else ""


def is_short(field: Field) -> bool:
    """Whether both values fit on a line: `10 → 30`."""
    return all(_is_short(value) for value in (field.old, field.new))


def short(field: Field) -> str:
    """Both values on a line."""
    return f"{_inline(field.old)} → {_inline(field.new)}"


def lines(field: Field) -> list[str]:
    """Both values as lines that begin with -, + or a space; texts with what is around."""
    old, new = field.old, field.new
    if isinstance(old, str) and isinstance(new, str) and ("\n" in old or "\n" in new):
        return _text_lines(old, new)
    gone = [] if old is None else [f"-{line}" for line in _block(old)]
    come = [] if new is None else [f"+{line}" for line in _block(new)]
    return gone + come


def object_lines(item: Item, sign: str) -> list[str]:
    """A whole object as YAML, each line with this sign."""
    return [f"{sign}{line}" for line in _block(without_secrets(item.object))]


def totals(stack: StackDiff) -> list[tuple[str, str]]:
    """What the totals were and are, where they differ."""
    return [
        (printable(key), f"{before or 'none'} → {after or 'none'}")
        for key, (before, after) in stack.totals.items()
    ]


def unchanged(diff: Diff) -> str:
    """The stacks that stay as they are, in a sentence; empty if there are none."""
    names = [stack.stack for stack in diff.stacks if stack.status is Status.UNCHANGED]
    return f"Unchanged: {printable(', '.join(names))}." if names else ""


class Repeats:
    """The long blocks that were shown already: a line that many scripts share changes in all."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], str] = {}

    def first(self, block: list[str], here: str) -> str:
        """Where the same block was shown before; empty if this is the first time."""
        before = self._seen.setdefault(tuple(block), here)
        return "" if before == here or len(block) < 4 else before


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" not in value
    return not (is_map(value) or is_list(value)) or len(_inline(value)) <= 60


def _inline(value: Any) -> str:
    if value is None:
        return "none"
    return printable(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def _block(value: Any) -> list[str]:
    if _is_short(value) and not is_map(value):
        return [_inline(value)]
    from tools.render import to_yaml

    return printable(to_yaml(value)).splitlines()


def _text_lines(old: str, new: str) -> list[str]:
    """A line diff; its hunks need no numbers, since nobody has the text as a file."""
    before, after = (printable(text).splitlines() for text in (old, new))
    found = [*difflib.unified_diff(before, after, n=2, lineterm="")][2:]
    if not found:
        return [" only white space or control characters differ"]
    hunks = ["@@" if line.startswith("@@") else line for line in found]
    return hunks[1:]
