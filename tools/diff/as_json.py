"""A diff as JSON for machines."""

import json
from typing import Any

from tools.diff.fields import without_secrets, written
from tools.diff.model import Change, Diff, Field, Item, Object, StackDiff, Verdict


def show(diff: Diff) -> str:
    """All of it; `changes` says in a word whether there is anything."""
    return json.dumps(
        {
            "base": diff.base,
            "commit": diff.commit,
            "changes": not diff.empty,
            "stacks": [_stack(stack) for stack in diff.stacks],
        },
        indent=2,
        default=str,
    )


def _stack(stack: StackDiff) -> Object:
    return {
        "stack": stack.stack,
        "status": stack.status,
        "problem": stack.problem,
        "notes": stack.notes,
        "counts": {verdict: stack.count(verdict) for verdict in Verdict},
        "changes": [_change(change) for change in stack.changes],
        "objects": [_identity(item) for item in stack.objects],
        "totals": {"before": stack.before, "after": stack.after},
    }


def _change(change: Change) -> Object:
    found: dict[str, Any] = {
        "verdict": change.verdict,
        **_identity(change.item),
        "deletedFirst": change.deleted_first,
        "notes": change.notes,
        "fields": [_field(field) for field in change.fields],
        "options": [_field(field) for field in change.options],
    }
    if change.verdict in (Verdict.CREATE, Verdict.DELETE):
        found["object"] = without_secrets(change.item.object)
    return found


def _identity(item: Item) -> Object:
    return {
        "apiVersion": item.object.get("apiVersion"),
        "kind": item.kind,
        "namespace": item.namespace,
        "name": item.name,
        "urn": item.urn,
    }


def _field(field: Field) -> Object:
    return {
        "path": written(field.path),
        "old": field.old,
        "new": field.new,
        "replaces": field.replaces,
        "ignored": field.ignored,
        "reordered": field.reordered,
    }
