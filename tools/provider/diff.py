"""What changed between two versions of an object's inputs, and how the engine is told."""

from enum import Enum
from typing import Any

from pulumi.provider.experimental import provider as engine

from tools.provider.paths import Path, render
from tools.provider.quantities import same_amount
from tools.status import is_list, is_map


class Change(Enum):
    """What happened at a place. The names are those of pulumi.provider's PropertyDiffKind."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


def differences(old: Any, new: Any, at: Path = ()) -> dict[Path, Change]:
    """Every place where the two differ, as deep as it can be named."""
    if is_map(old) and is_map(new):
        return _inside(old, new, [*old, *(key for key in new if key not in old)], at)
    if is_list(old) and is_list(new):
        return _inside(old, new, list(range(max(len(old), len(new)))), at)
    return {} if _same(old, new, at) else {at: Change.UPDATE}


def _inside(old: Any, new: Any, steps: list[Any], at: Path) -> dict[Path, Change]:
    found: dict[Path, Change] = {}
    for step in steps:
        place = (*at, step)
        if not _has(old, step):
            found |= _alone(new[step], place, Change.ADD)
        elif not _has(new, step):
            found |= _alone(old[step], place, Change.DELETE)
        else:
            found |= differences(old[step], new[step], place)
    return found


def _alone(value: Any, place: Path, change: Change) -> dict[Path, Change]:
    # To Kubernetes an empty list is none.
    return {} if value == [] else {place: change}


def _has(value: Any, step: Any) -> bool:
    return step < len(value) if isinstance(step, int) else step in value


def _same(old: Any, new: Any, at: Path) -> bool:
    # True == 1 in Python, but not in Kubernetes.
    if old == new:
        return isinstance(old, bool) == isinstance(new, bool)
    parent, key = (None, None, *at)[-2:]
    return same_amount(old, new, key, parent)


def answer(changes: dict[Path, Change], replaces: set[Path], renamed: bool) -> engine.DiffResponse:
    """What the engine is told. `renamed`: a replacement would get a name of its own.

    Without one the old object has to go first, for the new one takes its name.
    """
    renamed = renamed or any(("metadata", key) in changes for key in ("name", "namespace"))
    return engine.DiffResponse(
        changes=bool(changes),
        replaces=[render(path) for path in replaces],
        delete_before_replace=bool(replaces) and not renamed,
        diffs=sorted({str(path[0]) for path in changes}),
        detailed_diff={
            render(path): engine.PropertyDiff(_kind(change, path in replaces), input_diff=True)
            for path, change in changes.items()
        },
    )


def _kind(change: Change, replace: bool) -> engine.PropertyDiffKind:
    return engine.PropertyDiffKind[f"{change.value}_REPLACE" if replace else change.value]
