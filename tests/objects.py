"""An object of every kind that matters, which the API server takes as it is.

`it` and `new` stand for names and `here` and `there` for namespaces, wherever they are a whole
value. No node takes the pods, so nothing ever runs.
"""

from typing import Any

Object = dict[str, Any]

IMAGE = "busybox:1.37.0"


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
    return {"name": name, "image": IMAGE, **fields}


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


def _there(item: Object) -> Object:
    """Where it is in no other object's way."""
    return edited(item, "metadata.namespace", "there")


_ADMISSION = "admissionregistration.k8s.io/v1"
_NETWORK = "networking.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_STORAGE = "storage.k8s.io/v1"

_CONTAINERS = [
    container("app", resources={"limits": {"cpu": "100m", "memory": "1Gi"}}),
    container("other"),
]
_POD = {
    "containers": _CONTAINERS,
    "nodeSelector": {"kubernetes.io/hostname": "none"},
    "volumes": [{"name": "shared", "emptyDir": {"sizeLimit": "1Mi"}}],
}
_SELECTOR = {"matchLabels": {"app": "it"}}
_LABELS = {"labels": {"app": "it", "tier": "one"}}
_TEMPLATE = {"metadata": _LABELS, "spec": _POD}
_ONCE = {"metadata": _LABELS, "spec": {**_POD, "restartPolicy": "Never"}}
_MODES = {"accessModes": ["ReadWriteOnce"]}
_ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "it"}
_RULE = {
    "apiGroups": ["example.org"],
    "apiVersions": ["*"],
    "resources": ["*"],
    "operations": ["CREATE"],
}

ACCOUNT = manifest("ServiceAccount", automountServiceAccountToken=False)
BINDING = manifest("RoleBinding", _RBAC, roleRef=_ROLE_REF, subjects=[])
BUDGET = manifest("PodDisruptionBudget", "policy/v1", spec={"maxUnavailable": 1})
CLAIM = manifest(
    "PersistentVolumeClaim", spec={**_MODES, "resources": {"requests": {"storage": "1Gi"}}}
)
CLASS = manifest("StorageClass", _STORAGE, provisioner="old", allowVolumeExpansion=False)
CONFIG_MAP = manifest("ConfigMap", data={"key": "old"})
DAEMON_SET = manifest("DaemonSet", "apps/v1", spec={"selector": _SELECTOR, "template": _TEMPLATE})
DEPLOYMENT = manifest(
    "Deployment", "apps/v1", spec={"replicas": 1, "selector": _SELECTOR, "template": _TEMPLATE}
)
JOB = manifest("Job", "batch/v1", spec={"template": _ONCE, "backoffLimit": 1})
LIMITS = _there(
    manifest("LimitRange", spec={"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}),
)
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "it"}}
NETWORK = manifest("NetworkPolicy", _NETWORK, spec={"podSelector": {}})
POD = manifest("Pod", spec=_POD)
POLICY = manifest(
    "ValidatingAdmissionPolicy",
    _ADMISSION,
    spec={"matchConstraints": {"resourceRules": [_RULE]}, "validations": [{"expression": "true"}]},
)
POLICY_BINDING = manifest(
    "ValidatingAdmissionPolicyBinding",
    _ADMISSION,
    spec={"policyName": "it", "validationActions": ["Deny"]},
)
QUOTA = _there(manifest("ResourceQuota", spec={"hard": {"pods": "9", "memory": "9Gi"}}))
ROLE = manifest("Role", _RBAC, rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
SECRET = manifest("Secret", stringData={"key": "old"}, type="Opaque")
SERVICE = manifest("Service", spec={"selector": {"app": "it"}, "ports": [{"port": 80}]})
STATEFUL_SET = manifest(
    "StatefulSet",
    "apps/v1",
    spec={"serviceName": "it", "selector": _SELECTOR, "template": _TEMPLATE},
)
VOLUME = manifest(
    "PersistentVolume",
    spec={
        **_MODES,
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": "/old"},
        "storageClassName": "it",
    },
)
