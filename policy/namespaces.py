"""Rules about namespaces: where things go, who admits them, who may talk to them."""

from collections.abc import Iterable

from policy.manifests import Manifests, Object, found, inner, metadata, namespace
from policy.model import Finding

_CLUSTER_SCOPED = (
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
)
_ENFORCE = "pod-security.kubernetes.io/enforce"


def no_default_namespace(manifests: Manifests) -> Iterable[Finding]:
    """What belongs into a namespace names one that is not default."""
    for item in manifests.objects:
        name = metadata(item).get("namespace")
        if item.get("kind") not in _CLUSTER_SCOPED and name in (None, "", "default"):
            yield Finding(item, found("metadata.namespace", name, "a namespace of the stack's own"))


def pod_security_enforced(manifests: Manifests) -> Iterable[Finding]:
    """The API server holds all pods of a namespace to the profile, not only those of the stack."""
    for item in manifests.of("Namespace"):
        value = inner(metadata(item), "labels").get(_ENFORCE)
        if value != "restricted":
            yield Finding(item, found(f"metadata.labels.{_ENFORCE}", value, "restricted"))


def network_policy_present(manifests: Manifests) -> Iterable[Finding]:
    """In a namespace with pods all traffic is denied that nobody allows."""
    first: dict[str, Object] = {}
    for pod in manifests.pods:
        first.setdefault(namespace(pod.object), pod.object)
    for name, item in first.items():
        for direction in ("Ingress", "Egress"):
            policies = manifests.of("NetworkPolicy")
            if not any(namespace(it) == name and _denies(it, direction) for it in policies):
                message = (
                    f"namespace {name or 'default'}: found no NetworkPolicy that denies all"
                    f" {direction.lower()}, allowed is one with an empty podSelector, policyTypes"
                    f" with {direction} and no {direction.lower()} rules"
                )
                yield Finding(item, message)


def _denies(policy: Object, direction: str) -> bool:
    """Whether it selects all pods and allows nothing in this direction."""
    spec, selector = inner(policy, "spec"), inner(policy, "spec", "podSelector")
    if selector.get("matchLabels") or selector.get("matchExpressions"):
        return False
    return direction in (spec.get("policyTypes") or ("Ingress",)) and not spec.get(
        direction.lower()
    )
