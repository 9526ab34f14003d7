"""A diff as Markdown for a comment on a pull request.

What manifests, paths and messages hold is others' text: it stands only in code spans and fenced
blocks that it can't end.
"""

import html
import re
from dataclasses import dataclass
from enum import IntEnum

from tools.diff import words
from tools.diff.as_text import NOTHING
from tools.diff.model import Change, Diff, Field, StackDiff, Status, Verdict

MARKER = "<!-- sidecar-powers:diff -->"
"""The first line, by which a workflow finds the comment that it is to edit."""

CAP = 60_000
"""Characters; GitHub's own limit for a comment is 65,536."""

_OPEN_LINES = 12
"""What is longer is folded."""

_RESERVE = 1_000
"""Characters kept for saying what was left out."""

_WORDS = {
    Verdict.CREATE: "create",
    Verdict.UPDATE: "update",
    Verdict.REPLACE: "⚠️ **replace**",
    Verdict.DELETE: "🗑️ **delete**",
    Verdict.NONE: "none",
}


class _Rank(IntEnum):
    """What is kept first when not all has room."""

    HEADING = 0
    ROW = 1
    DIFF = 2


@dataclass(frozen=True)
class _Part:
    text: str
    rank: _Rank
    stack: str = ""


def show(diff: Diff, cap: int = CAP) -> str:
    """The comment, of at most `cap` characters."""
    if diff.empty:
        return f"{MARKER}\n{NOTHING}"
    parts = [_Part(f"{MARKER}\n## What changes since {code(diff.base)}\n", _Rank.HEADING)]
    repeats = words.Repeats()
    for stack in diff.stacks:
        if stack.status is not Status.UNCHANGED:
            parts += _stack(stack, diff.base, repeats)
    same = words.unchanged(diff)
    if same:
        parts.append(_Part(f"\n{code(same)}\n", _Rank.HEADING))
    return _capped(parts, cap)


def code(text: str, in_table: bool = False) -> str:
    """Text as a code span that nothing in it can end."""
    flat = words.printable(text).replace("\n", " ").replace("\t", " ")
    if in_table:
        flat = flat.replace("|", "\\|")
    runs = [len(run) for run in re.findall("`+", flat)]
    fence = "`" * next(size for size in range(1, len(runs) + 2) if size not in runs)
    pad = " " if flat.startswith("`") or flat.endswith("`") or not flat.strip() else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def fenced(lines: list[str], language: str = "") -> str:
    """Lines as a block that none of them can end."""
    text = words.printable("\n".join(lines))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def _stack(stack: StackDiff, base: str, repeats: words.Repeats) -> list[_Part]:
    name = stack.stack
    heading = [f"\n### {code(name)}: {_title(stack, base)}\n"]
    heading += [f"\n{code(note)}\n" for note in stack.notes]
    found = [_Part("".join(heading), _Rank.HEADING, name)]
    if stack.problem:
        found.append(_Part(f"\n{fenced(stack.problem.splitlines())}", _Rank.ROW, name))
    if stack.changes:
        head = "\n| verdict | object | fields |\n| --- | --- | --- |\n"
        found.append(_Part(head, _Rank.HEADING, name))
        found += [_Part(_row(change), _Rank.ROW, name) for change in stack.changes]
    if stack.objects:
        block = fenced([words.named(item) for item in stack.objects])
        found.append(_Part(f"\n{_folded('Objects', block)}", _Rank.DIFF, name))
    totals = words.totals(stack)
    if totals:
        head = "\n| total | change |\n| --- | --- |\n"
        rows = [f"| {code(key, True)} | {code(change, True)} |\n" for key, change in totals]
        found.append(_Part(head + "".join(rows), _Rank.ROW, name))
    for change in stack.changes:
        block = _details(change, name, repeats)
        if block:
            found.append(_Part(f"\n{block}", _Rank.DIFF, name))
    return found


def _title(stack: StackDiff, base: str) -> str:
    if stack.status is Status.INCOMPARABLE:
        return words.title(stack, "the base")
    return words.title(stack, base)


def _row(change: Change) -> str:
    first = ", deleted first" if change.deleted_first else ""
    what = [code(words.place(field), True) for field in change.fields[:3]]
    if len(change.fields) > 3:
        what.append(f"and {len(change.fields) - 3} more")
    what += [f"option {code(words.place(field), True)}" for field in change.options]
    item = code(words.named(change.item), True)
    return f"| {_WORDS[change.verdict]}{first} | {item} | {', '.join(what)} |\n"


def _details(change: Change, stack: str, repeats: words.Repeats) -> str:
    """What there is to see of a change beside its row; folded if it is long."""
    item = words.named(change.item)
    lines = [f"# {words.printable(note)}" for note in change.notes]
    if change.verdict is Verdict.CREATE and change.new is not None:
        lines += words.object_lines(change.new, "+")
    for field in change.fields:
        lines += _field(field, f"{stack}, {item}", repeats)
    for field in change.options:
        lines += [f"@@ option {words.place(field)} @@", *words.lines(field)]
    if not lines:
        return ""
    block = fenced(lines, "diff")
    if len(lines) <= _OPEN_LINES:
        return f"{code(item)}\n\n{block}"
    return _folded(f"<code>{html.escape(item)}</code>, {len(lines)} lines", block)


def _field(field: Field, where: str, repeats: words.Repeats) -> list[str]:
    place = words.place(field)
    begin = f"@@ {place}{words.marks(field)} @@"
    block = words.lines(field)
    before = repeats.first(block, f"{where}, {place}")
    return [begin, f"# the same lines as in {before}"] if before else [begin, *block]


def _folded(summary: str, block: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{block}\n</details>\n"


def _capped(parts: list[_Part], cap: int) -> str:
    """All parts that have room, in their order, and how many haven't."""
    whole = "".join(part.text for part in parts).rstrip()
    if len(whole) <= cap:
        return whole
    room = cap - _RESERVE
    kept: set[int] = set()
    for rank in _Rank:
        for index, part in enumerate(parts):
            if part.rank is rank and len(part.text) <= room:
                kept.add(index)
                room -= len(part.text)
    left = [part for index, part in enumerate(parts) if index not in kept]
    text = "".join(part.text for index, part in enumerate(parts) if index in kept)
    return f"{text}\n{_left_out(left)}"


def _left_out(parts: list[_Part]) -> str:
    names = {
        _Rank.HEADING: "headings",
        _Rank.ROW: "rows",
        _Rank.DIFF: "objects' changes",
    }
    found = [
        f"{number} {names[rank]}"
        for rank in _Rank
        if (number := sum(part.rank is rank for part in parts))
    ]
    stacks = ", ".join(dict.fromkeys(part.stack for part in parts if part.stack))
    stacks = stacks if len(stacks) < 500 else f"{stacks[:500]}…"
    return (
        f"**Left out for want of room:** {', '.join(found)}, of {code(stacks)}."
        " `make diff` shows all of it."
    )
