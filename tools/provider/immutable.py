"""Which changes need a new object: fields that no update can change."""

import re
from dataclasses import dataclass

from tools.provider.diff import Change
from tools.provider.errors import ApiError
from tools.provider.paths import Path, below, parse, touches
from tools.status import Object

_IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")

_SELECTOR = ("spec.selector",)

_IMMUTABLE = {
    "ClusterRoleBinding": ("roleRef",),
    "DaemonSet": _SELECTOR,
    "Deployment": _SELECTOR,
    "Job": (
        "spec.completions",
        "spec.parallelism",
        "spec.selector",
        "spec.template",
    ),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "Pod": ("spec",),
    "ReplicaSet": _SELECTOR,
    "ResourceQuota": ("spec.scopes",),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP",),
    "StatefulSet": (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "StorageClass": ("parameters", "provisioner"),
}
"""Fields that cannot change in place, by kind; the API server is asked about all others.

Some could, such as a Pod's image, a Job's parallelism and a StatefulSet's history. The published
plugin replaces the object all the same, and so does this one.
"""

_MUTABLE_IN_POD = (parse("spec.activeDeadlineSeconds"), parse("spec.schedulingGates"))
_TOLERATIONS = parse("spec.tolerations.*")
_DATA = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}

_REFUSED_AS_IMMUTABLE = re.compile(
    r"immutable|(may|can) ?not (be )?(change|update|modif)|cannot be (changed|updated)|"
    r"updates? to .* (is|are) (forbidden|not allowed)|updates? (is|are) forbidden",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rules:
    """The provider's settings that decide about replacement; both default to no, as published.

    See https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/.
    """

    config_map_mutable: bool = False
    secret_mutable: bool = False


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
