"""What changed between two versions of an object's inputs, and what of it needs a new object."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pulumi.provider.experimental import provider as engine

from tools.provider.errors import ApiError
from tools.provider.paths import Path, below, parse, render, touches
from tools.status import Object, is_list, is_map

_IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")

_SELECTOR = ("spec.selector",)

_IMMUTABLE = {
    "ClusterRoleBinding": ("roleRef",),
    "DaemonSet": _SELECTOR,
    "Deployment": _SELECTOR,
    "Job": ("spec.completions", "spec.completionMode", "spec.selector", "spec.template"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.dataSource",
        "spec.dataSourceRef",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeMode",
        "spec.volumeName",
    ),
    "Pod": ("spec",),
    "ReplicaSet": _SELECTOR,
    "ResourceQuota": ("spec.scopes", "spec.scopeSelector"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.clusterIPs"),
    "StatefulSet": (
        "spec.podManagementPolicy",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""Fields that cannot change in place, by kind; the API server is asked about all others.

A Pod's image could: https://kubernetes.io/docs/concepts/workloads/pods/#pod-update-and-replacement.
The published plugin replaces the Pod all the same, so that its init containers run again, and so
does this one.
"""

_MUTABLE_IN_POD = (parse("spec.activeDeadlineSeconds"), parse("spec.schedulingGates"))
_TOLERATIONS = parse("spec.tolerations.*")
_DATA = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}

_REFUSED_AS_IMMUTABLE = re.compile(
    r"immutable|(may|can) ?not (be )?(change|update|modif)|cannot be (changed|updated)|"
    r"updates? to .* (is|are) (forbidden|not allowed)|updates? (is|are) forbidden",
    re.IGNORECASE,
)


class Change(Enum):
    """What happened at a place. The names are those of pulumi.provider's PropertyDiffKind."""

    ADD = "ADD"
    DELETE = "DELETE"
    UPDATE = "UPDATE"


@dataclass(frozen=True)
class Rules:
    """The provider's settings that decide about replacement; both default to no, as published.

    See https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/.
    """

    config_map_mutable: bool = False
    secret_mutable: bool = False


def differences(old: Any, new: Any, at: Path = ()) -> dict[Path, Change]:
    """Every place where the two differ, as deep as it can be named."""
    if is_map(old) and is_map(new):
        return _inside(old, new, [*old, *(key for key in new if key not in old)], at)
    if is_list(old) and is_list(new):
        return _inside(old, new, list(range(max(len(old), len(new)))), at)
    return {} if _same(old, new) else {at: Change.UPDATE}


def _inside(old: Any, new: Any, steps: list[Any], at: Path) -> dict[Path, Change]:
    found: dict[Path, Change] = {}
    for step in steps:
        place = (*at, step)
        if not _has(old, step):
            found[place] = Change.ADD
        elif not _has(new, step):
            found[place] = Change.DELETE
        else:
            found |= differences(old[step], new[step], place)
    return found


def _has(value: Any, step: Any) -> bool:
    return step < len(value) if isinstance(step, int) else step in value


def _same(old: Any, new: Any) -> bool:
    # True == 1 in Python, but not in Kubernetes.
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def replaced(old: Object, changes: dict[Path, Change], rules: Rules) -> set[Path]:
    """The changes that no update can make."""
    kind = str(old.get("kind"))
    fields = [*_IDENTITY, *_IMMUTABLE.get(kind, ())]
    mutable = {"ConfigMap": rules.config_map_mutable, "Secret": rules.secret_mutable}
    if kind in _DATA and (old.get("immutable") or not mutable[kind]):
        fields += _DATA[kind]
    if kind in _DATA and old.get("immutable"):
        fields.append("immutable")
    patterns = [parse(field) for field in fields]
    return {
        path
        for path, change in changes.items()
        if any(touches(path, pattern) for pattern in patterns)
        and not (kind == "Pod" and _allowed_in_pod(path, change))
    }


def _allowed_in_pod(path: Path, change: Change) -> bool:
    added_toleration = touches(path, _TOLERATIONS) and 1 < len(path) < 4 and change is Change.ADD
    return added_toleration or any(below(path, field) for field in _MUTABLE_IN_POD)


def refused_as_immutable(error: ApiError, changes: dict[Path, Change]) -> set[Path]:
    """The changes that the API server refused (422) because a field is immutable.

    All of them if it names no field that changed; none if it refused for another reason.
    """
    if error.code != 422 or not _REFUSED_AS_IMMUTABLE.search(str(error)):
        return set()
    fields = [parse(str(cause.get("field", ""))) for cause in error.causes]
    named = {path for path in changes if any(field and touches(path, field) for field in fields)}
    return named or set(changes)


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
