"""Rules about namespaces: where things go, who admits them, who may talk to them."""

from collections.abc import Iterable

from policy.manifests import Manifests, Object, found, inner, is_built_in, metadata, namespace
from policy.model import Finding

_CLUSTER_SCOPED = (
    "APIService",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "ServiceCIDR",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
)
"""Kinds of Kubernetes' own that are in no namespace."""

_OLD = range(25)
"""Minor versions of Kubernetes whose `restricted` says less than that of today."""
_ENFORCE = "pod-security.kubernetes.io/enforce"


def no_default_namespace(manifests: Manifests) -> Iterable[Finding]:
    """What belongs into a namespace names one of the stack's own.

    Of others' kinds nobody knows here whether they belong into one.
    """
    for item in manifests.objects:
        name = metadata(item).get("namespace")
        missing = not name and is_built_in(item) and item.get("kind") not in _CLUSTER_SCOPED
        if missing or name == "default" or str(name or "").startswith("kube-"):
            yield Finding(item, found("metadata.namespace", name, "a namespace of the stack's own"))


def pod_security_enforced(manifests: Manifests) -> Iterable[Finding]:
    """The API server holds all pods of a namespace to the profile, not only those of the stack."""
    for item in manifests.of("Namespace"):
        labels = inner(metadata(item), "labels")
        value = labels.get(_ENFORCE)
        if value != "restricted":
            yield Finding(item, found(f"metadata.labels.{_ENFORCE}", value, "restricted"))
        version = str(labels.get(f"{_ENFORCE}-version", "latest"))
        if version in [f"v1.{minor}" for minor in _OLD]:
            path = f"metadata.labels.{_ENFORCE}-version"
            yield Finding(item, found(path, version, "latest, or v1.25 and later"))


def network_policy_present(manifests: Manifests) -> Iterable[Finding]:
    """In a namespace with pods all traffic is denied that nobody allows."""
    first: dict[str, Object] = {}
    for pod in manifests.pods:
        first.setdefault(namespace(pod.object) or "default", pod.object)
    for name, item in first.items():
        for direction in ("Ingress", "Egress"):
            policies = manifests.of("NetworkPolicy")
            here = [item for item in policies if (namespace(item) or "default") == name]
            if not any(_denies(policy, direction) for policy in here):
                message = (
                    f"namespace {name}: found no NetworkPolicy that denies all"
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
