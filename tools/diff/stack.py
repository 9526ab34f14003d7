"""A stack at both revisions, compared."""

import json
from dataclasses import replace
from typing import Any

from tools.diff.compare import compare
from tools.diff.fields import differences, written
from tools.diff.model import Object, Side, StackDiff, Status, Verdict
from tools.diff.totals import totals

_PRIVATE = "kubeconfig"
"""A setting that may be a whole kubeconfig, with credentials."""

_WHERE = ("cluster", "clusterIdentifier", "context", "kubeconfig")


def compared(stack: str, old: Side | None, new: Side | None) -> StackDiff:
    """What changes in a stack; None is a side that doesn't have it."""
    if new is not None and new.problem:
        return StackDiff(stack, Status.FAILED, new.problem)
    if old is not None and old.problem:
        if new is None:
            return StackDiff(stack, Status.INCOMPARABLE, old.problem)
        return StackDiff(
            stack,
            Status.INCOMPARABLE,
            old.problem,
            objects=new.objects,
            after=totals(new.objects),
        )
    before, after = old or Side(), new or Side()
    changes = compare(before.objects, after.objects, after.settings)
    both = len(before.objects) - sum(change.old is not None for change in changes)
    found = StackDiff(
        stack,
        Status.CHANGED,
        changes=changes,
        unchanged=both,
        before=totals(before.objects),
        after=totals(after.objects),
    )
    if old is None:
        return replace(found, status=Status.ADDED)
    if new is None:
        note = (
            "Its file is gone, which deletes nothing by itself: remove the stack with the base's"
            f" `make down STACK={stack}` first."
        )
        return replace(found, status=Status.REMOVED, notes=[note])
    notes = _settings(before.settings, after.settings)
    notes += _policies(before.policies, after.policies)
    unchanged = not changes and not notes
    told = all(item.urn for item in before.objects)
    if not told and {Verdict.DELETE, Verdict.CREATE} <= {change.verdict for change in changes}:
        notes.append(
            "The base's renderer tells no URNs, so objects are matched by name: one that is renamed"
            " is shown as deleted and created, where Pulumi may replace it."
        )
    return replace(found, status=Status.UNCHANGED if unchanged else Status.CHANGED, notes=notes)


def _policies(old: Object, new: Object) -> list[str]:
    """What the policies are told otherwise, each value on its own."""
    return [
        f"Policies: {written(field.path)} changes from {_told(field.old)} to {_told(field.new)}."
        for field in differences(old, new)
    ]


def _told(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, default=str, ensure_ascii=False)


def _settings(old: Object, new: Object) -> list[str]:
    """The provider's settings that differ."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key, "nothing"), new.get(key, "nothing")
        if before != after:
            change = "changes" if key == _PRIVATE else f"changes from {before} to {after}"
            effect = ": on another cluster all objects are new" if key in _WHERE else ""
            found.append(f"kubernetes:{key} {change}{effect}.")
    return found
