"""Edits of single objects of every kind that matters, and what the provider does with each.

Rows are: what is edited, the object, where, the value before and after (None: not there), the
verdict.
"""

from typing import Any

Object = dict[str, Any]


def manifest(kind: str, version: str = "v1", **fields: Any) -> Object:
    """An object of this kind in the namespace `here`."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "it", "namespace": "here", "labels": {"app": "it"}},
        **fields,
    }


def container(name: str, **fields: Any) -> Object:
    """A container, by default without anything."""
    return {"name": name, "image": "busybox:1.37.0", **fields}


_POD = {"containers": [container("app"), container("other")]}
_SELECTOR = {"matchLabels": {"app": "it"}}
_TEMPLATE = {"metadata": {"labels": {"app": "it"}}, "spec": _POD}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_RBAC = "rbac.authorization.k8s.io/v1"
_ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "it"}

CONFIG_MAP = manifest("ConfigMap", data={"key": "old"})
SECRET = manifest("Secret", stringData={"key": "old"}, type="Opaque")
POD = manifest("Pod", spec=_POD)
DEPLOYMENT = manifest(
    "Deployment", "apps/v1", spec={"replicas": 1, "selector": _SELECTOR, "template": _TEMPLATE}
)
STATEFUL_SET = manifest(
    "StatefulSet",
    "apps/v1",
    spec={"serviceName": "it", "selector": _SELECTOR, "template": _TEMPLATE},
)
DAEMON_SET = manifest("DaemonSet", "apps/v1", spec={"selector": _SELECTOR, "template": _TEMPLATE})
JOB = manifest("Job", "batch/v1", spec={"template": _TEMPLATE, "backoffLimit": 1})
SERVICE = manifest("Service", spec={"selector": {"app": "it"}, "ports": [{"port": 80}]})
CLAIM = manifest("PersistentVolumeClaim", spec=_CLAIM)
VOLUME = manifest("PersistentVolume", spec={"hostPath": {"path": "/old"}, "capacity": {}})
CLASS = manifest("StorageClass", "storage.k8s.io/v1", provisioner="old", allowVolumeExpansion=False)
ROLE = manifest("Role", _RBAC, rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
BINDING = manifest("RoleBinding", _RBAC, roleRef=_ROLE_REF, subjects=[])
QUOTA = manifest("ResourceQuota", spec={"hard": {"pods": "1"}})
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "it"}}
ACCOUNT = manifest("ServiceAccount", automountServiceAccountToken=False)
BUDGET = manifest("PodDisruptionBudget", "policy/v1", spec={"maxUnavailable": 1})
NETWORK = manifest("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}})

OBJECT_EDITS: list[tuple[str, Object, str, Any, Any, str]] = [
    ("config map's data", CONFIG_MAP, "data.key", "old", "new", "replace"),
    ("config map's new key", CONFIG_MAP, "data.other", None, "new", "replace"),
    ("config map's label", CONFIG_MAP, "metadata.labels.app", "it", "new", "update"),
    ("secret's data", SECRET, "stringData.key", "old", "new", "replace"),
    ("secret's type", SECRET, "type", "Opaque", "here/new", "replace"),
    ("secret's annotation", SECRET, "metadata.annotations.note", None, "new", "update"),
    ("pod's image", POD, "spec.containers.0.image", "busybox:1.37.0", "busybox:1", "replace"),
    ("pod's environment", POD, "spec.containers.0.env", None, [{"name": "A"}], "replace"),
    ("pod's label", POD, "metadata.labels.app", "it", "new", "update"),
    ("pod's deadline", POD, "spec.activeDeadlineSeconds", None, 60, "update"),
    ("pod's tolerations", POD, "spec.tolerations", None, [{"key": "a"}], "update"),
    ("deployment's replicas", DEPLOYMENT, "spec.replicas", 1, 2, "update"),
    ("deployment's selector", DEPLOYMENT, "spec.selector.matchLabels.app", "it", "x", "replace"),
    (
        "deployment's image",
        DEPLOYMENT,
        "spec.template.spec.containers.0.image",
        "busybox:1.37.0",
        "busybox:1",
        "update",
    ),
    ("deployment's name", DEPLOYMENT, "metadata.name", "it", "new", "replace"),
    ("deployment's namespace", DEPLOYMENT, "metadata.namespace", "here", "there", "replace"),
    ("stateful set's service", STATEFUL_SET, "spec.serviceName", "it", "new", "replace"),
    ("stateful set's replicas", STATEFUL_SET, "spec.replicas", None, 2, "update"),
    ("stateful set's claims", STATEFUL_SET, "spec.volumeClaimTemplates", None, [CLAIM], "replace"),
    ("daemon set's selector", DAEMON_SET, "spec.selector.matchLabels.app", "it", "x", "replace"),
    ("job's template", JOB, "spec.template.spec.restartPolicy", None, "Never", "replace"),
    ("job's completions", JOB, "spec.completions", None, 2, "replace"),
    ("job's backoff limit", JOB, "spec.backoffLimit", 1, 2, "update"),
    ("service's address", SERVICE, "spec.clusterIP", None, "None", "replace"),
    ("service's port", SERVICE, "spec.ports.0.port", 80, 81, "update"),
    ("service's type", SERVICE, "spec.type", None, "NodePort", "update"),
    ("claim's size", CLAIM, "spec.resources.requests.storage", "1Gi", "2Gi", "update"),
    ("claim's class", CLAIM, "spec.storageClassName", None, "fast", "replace"),
    ("claim's modes", CLAIM, "spec.accessModes.0", "ReadWriteOnce", "ReadOnlyMany", "replace"),
    ("volume's source", VOLUME, "spec.hostPath.path", "/old", "/new", "replace"),
    ("volume's reclaim policy", VOLUME, "spec.persistentVolumeReclaimPolicy", None, "x", "update"),
    ("class's provisioner", CLASS, "provisioner", "old", "new", "replace"),
    ("class's parameters", CLASS, "parameters.kind", None, "fast", "replace"),
    ("class's expansion", CLASS, "allowVolumeExpansion", False, True, "update"),
    ("role's verbs", ROLE, "rules.0.verbs.0", "get", "list", "update"),
    ("binding's role", BINDING, "roleRef.name", "it", "new", "replace"),
    ("binding's subjects", BINDING, "subjects", [], [{"kind": "User", "name": "a"}], "update"),
    ("quota's amount", QUOTA, "spec.hard.pods", "1", "2", "update"),
    ("quota's scopes", QUOTA, "spec.scopes", None, ["Terminating"], "replace"),
    ("namespace's label", NAMESPACE, "metadata.labels.team", None, "new", "update"),
    ("namespace's name", NAMESPACE, "metadata.name", "it", "new", "replace"),
    ("account's token", ACCOUNT, "automountServiceAccountToken", False, True, "update"),
    ("budget's number", BUDGET, "spec.maxUnavailable", 1, 2, "update"),
    ("network policy's pods", NETWORK, "spec.podSelector.matchLabels.a", None, "b", "update"),
]


def edited(item: Object, path: str, value: Any) -> Object:
    """A copy of an object with this value at this place; None removes what is there."""
    key, _, rest = path.partition(".")
    copy: Any = list(item) if isinstance(item, list) else dict(item)
    at: Any = int(key) if isinstance(item, list) else key
    if rest:
        copy[at] = edited(copy[at] if isinstance(item, list) else item.get(key, {}), rest, value)
    elif value is None:
        copy.pop(at, None)
    else:
        copy[at] = value
    return copy
