"""A diff as text for people."""

from tools.diff import words
from tools.diff.model import Change, Diff, Field, StackDiff, Status, Verdict

NOTHING = "No changes."

_SIGNS = {
    Verdict.CREATE: "+",
    Verdict.UPDATE: "~",
    Verdict.REPLACE: "!",
    Verdict.DELETE: "-",
    Verdict.NONE: " ",
}


def show(diff: Diff) -> str:
    """All of it, nothing left out."""
    if diff.empty:
        return NOTHING
    repeats = words.Repeats()
    blocks = [
        _stack(stack, diff.base, repeats)
        for stack in diff.stacks
        if stack.status is not Status.UNCHANGED
    ]
    same = words.unchanged(diff)
    return "\n\n".join(["\n".join(block) for block in blocks] + ([same] if same else []))


def _stack(stack: StackDiff, base: str, repeats: words.Repeats) -> list[str]:
    name = words.printable(stack.stack)
    found = [f"{name}: {words.title(stack, base)}"]
    found += [f"  {line}" for line in words.printable(stack.problem).splitlines()]
    found += [f"  {words.printable(note)}" for note in stack.notes]
    found += [f"    {words.named(item)}" for item in stack.objects]
    for change in stack.changes:
        found += _change(change, name, repeats)
    totals = words.totals(stack)
    if totals:
        width = max(len(key) for key, _ in totals)
        found.append("  totals")
        found += [f"      {key:{width}}  {change}" for key, change in totals]
    return found


def _change(change: Change, stack: str, repeats: words.Repeats) -> list[str]:
    item = words.named(change.item)
    first = ", deleted first" if change.deleted_first else ""
    found = [f"  {_SIGNS[change.verdict]} {change.verdict:8}{item}{first}"]
    found += [f"      {words.printable(note)}" for note in change.notes]
    for field in change.fields:
        found += _field(field, f"{stack}, {item}", repeats)
    for field in change.options:
        found.append(f"      option {words.place(field)}: {words.short(field)}")
    return found


def _field(field: Field, where: str, repeats: words.Repeats) -> list[str]:
    place = words.place(field)
    begin = f"      {place}{words.marks(field)}:"
    if words.is_short(field):
        return [f"{begin} {words.short(field)}"]
    block = words.lines(field)
    before = repeats.first(block, f"{where}, {place}")
    if before:
        return [f"{begin} the same lines as in {before}"]
    return [begin, *(f"        {line}".rstrip() for line in block)]
