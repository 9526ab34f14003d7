"""Which fields can't be changed in place: a change of theirs replaces the object.

First what the published provider replaces for, of its own accord; it also replaces a Pod for an
image, which Kubernetes would change. Then what the API server refuses to change.
https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go
"""

import re
from collections.abc import Sequence
from typing import Any

from tools.diff.fields import is_list, is_map
from tools.diff.model import Field, Item, Object, Path

_IDENTITY = ("metadata.name", "metadata.namespace")

_VOLUME_SOURCES = [
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi"),
    *("fc", "flexVolume", "flocker", "gcePersistentDisk", "glusterfs", "hostPath"),
    *("iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume", "quobyte"),
    *("rbd", "scaleIO", "storageos", "vsphereVolume"),
]

_IMMUTABLE: dict[tuple[str, str], Sequence[str]] = {
    ("", "PersistentVolume"): [
        *(f"spec.{source}" for source in _VOLUME_SOURCES),
        *("spec.nodeAffinity", "spec.volumeMode"),
    ],
    ("", "PersistentVolumeClaim"): [
        *("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
        *("spec.dataSource", "spec.dataSourceRef", "spec.volumeMode"),
    ],
    ("", "Pod"): ["spec"],
    ("", "ResourceQuota"): ["spec.scopes"],
    ("", "Secret"): ["type"],
    ("", "Service"): ["spec.clusterIP", "spec.clusterIPs"],
    ("apps", "DaemonSet"): ["spec.selector"],
    ("apps", "Deployment"): ["spec.selector"],
    ("apps", "ReplicaSet"): ["spec.selector"],
    ("apps", "StatefulSet"): [
        *("spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector"),
        *("spec.serviceName", "spec.volumeClaimTemplates"),
    ],
    ("batch", "Job"): [
        *("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
        "spec.completionMode",
    ],
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ["roleRef"],
    ("rbac.authorization.k8s.io", "RoleBinding"): ["roleRef"],
    ("storage.k8s.io", "StorageClass"): [
        *("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    ],
}

_MUTABLE: dict[tuple[str, str], Sequence[str]] = {
    ("", "Pod"): ["spec.activeDeadlineSeconds", "spec.schedulingGates"],
}
"""Exceptions from the above."""

_ADDABLE: dict[tuple[str, str], Sequence[str]] = {
    ("", "PersistentVolume"): ["spec.nodeAffinity"],
    ("", "Pod"): ["spec.tolerations"],
}
"""What can be set, or grow, but not change otherwise."""

_DEFAULTS: dict[tuple[str, str], dict[str, str]] = {
    ("", "PersistentVolume"): {"spec.volumeMode": "Filesystem"},
    ("", "PersistentVolumeClaim"): {"spec.volumeMode": "Filesystem"},
    ("batch", "Job"): {"spec.completionMode": "NonIndexed"},
    ("storage.k8s.io", "StorageClass"): {
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    },
}
"""What the API server puts where nothing is said: to say it is no change to it."""

_DATA = {
    ("", "ConfigMap"): ("enableConfigMapMutable", ("data", "binaryData")),
    ("", "Secret"): ("enableSecretMutable", ("data", "stringData", "type")),
}
"""Replaced for their data, so that those who read it start anew, unless this setting is on.
https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
"""


def replaces(field: Field, new: Item, settings: Object) -> bool:
    """Whether this field's change replaces the object, given the provider's settings."""
    kind = new.group, new.kind
    asked = [parsed(path) for path in new.options.get("replaceOnChanges", [])]
    fixed = [parsed(path) for path in (*_IDENTITY, *_IMMUTABLE.get(kind, ()))]
    if kind in _DATA:
        setting, paths = _DATA[kind]
        mutable = str(settings.get(setting, "")).lower() == "true"
        if not mutable or new.object.get("immutable") is True:
            fixed += [parsed(path) for path in paths]
    return any(_touches(path, field) for path in [*asked, *([] if _free(kind, field) else fixed)])


def _free(kind: tuple[str, str], field: Field) -> bool:
    """Whether this can change in an object that can't change otherwise."""
    if any(covers(parsed(path), field.path) for path in _MUTABLE.get(kind, ())):
        return True
    default = _DEFAULTS.get(kind, {}).get(".".join(field.path))
    if default and field.old in (None, default) and field.new in (None, default):
        return True
    added = [field.path, field.path[:-1]] if field.old is None else []
    return any(parsed(path) in added for path in _ADDABLE.get(kind, ()))


def parsed(text: str) -> Path:
    """A path as Pulumi writes it: `spec.containers[0].image`, `metadata.labels["a.b/c"]`.

    A number stands for any element, since lists are matched by name here.
    """
    found = re.findall(r'\["([^"]*)"\]|(\[(?:[0-9]+|\*)\])|([^.\[\]]+)', text)
    return tuple("*" if index else quoted or plain for quoted, index, plain in found)


def covers(pattern: Path, path: Path) -> bool:
    """Whether a path is at or below another, `*` standing for any part."""
    return len(pattern) <= len(path) and _agree(pattern, path)


def _agree(pattern: Path, path: Path) -> bool:
    return all(left in ("*", right) for left, right in zip(pattern, path, strict=False))


def _touches(pattern: Path, field: Field) -> bool:
    """Whether what differs is at, below or above this path."""
    if len(pattern) <= len(field.path):
        return covers(pattern, field.path)
    rest = pattern[len(field.path) :]
    return _agree(pattern, field.path) and any(
        _has(value, rest) for value in (field.old, field.new)
    )


def _has(value: Any, path: Path) -> bool:
    if not path:
        return value is not None
    if is_list(value):
        return any(_has(item, path[1:]) for item in value)
    return is_map(value) and _has(value.get(path[0]), path[1:])
