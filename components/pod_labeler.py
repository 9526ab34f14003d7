"""Pod labeler: the least that a sidecar needs to change one label of its own pod.

RBAC alone can't say it: `resourceNames` needs the pod's name beforehand, and
`patch` covers all of the pod's fields, its image included. So an admission
policy says the rest: in its own pod, and only that label, may differ.
Needs Kubernetes 1.30.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from typing import NotRequired, TypedDict

import pulumi

from .manifest import Object
from .messages import check_keys
from .own_pod import grant, policy_of


class PodLabelerArgs(TypedDict):
    """Arguments of PodLabeler."""

    namespace: NotRequired[str]
    """Namespace of the pods. Default `default`."""

    name: NotRequired[str]
    """Name of service account, role and binding; the cluster-scoped policy is
    named `<namespace>.<name>`. Default `pod-labeler`."""

    label: NotRequired[str]
    """The label that may be changed. Default `version`."""

    pod_name: NotRequired[str]
    """The pod's name, where it is known beforehand: the role is narrowed to it."""

    admission_policy: NotRequired[bool]
    """Create the policy. Default true. Without it the role alone holds, which
    lets the account patch every field of the pods that it covers: only for
    those who may not create cluster-scoped objects."""


def policy_spec(namespace: str, account: str, label: str) -> Object:
    """The ValidatingAdmissionPolicy's spec, in CEL."""

    def same(field: str, empty: str) -> Object:
        return {
            "expression": f"object.{field}.orValue({empty}) == oldObject.{field}.orValue({empty})",
            "message": f"{account} may not change {field.replace('?', '')}",
        }

    def labels_kept(left: str, right: str) -> str:
        # Optional values: a label without a value differs from no label.
        return (
            f"{left}.metadata.?labels.orValue({{}}).all(key, key == '{label}' ||"
            f" {right}.metadata.?labels[?key] == {left}.metadata.?labels[?key])"
        )

    validations = [
        {
            "expression": f"{labels_kept('object', 'oldObject')}"
            f" && {labels_kept('oldObject', 'object')}",
            "message": f"{account} may change no label but {label}",
        },
        {
            "expression": "object.spec == oldObject.spec",
            "message": f"{account} may not change spec",
        },
        same("metadata.?annotations", "{}"),
        same("metadata.?finalizers", "[]"),
        same("metadata.?ownerReferences", "[]"),
    ]
    return policy_of(namespace, account, "is-the-labeler", validations)


class PodLabeler(pulumi.ComponentResource):
    """A service account that can change one label of the pod that it runs in."""

    service_account: pulumi.Output[str]
    """Name of the service account."""

    def __init__(
        self, name: str, args: PodLabelerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, PodLabelerArgs)
        super().__init__("sidecar-powers:index:PodLabeler", name, {}, opts)
        namespace = args.get("namespace", "default")
        account = args.get("name", "pod-labeler")
        rule: Object = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}
        if "pod_name" in args:
            rule["resourceNames"] = [args["pod_name"]]
        bounded = args.get("admission_policy", True)
        policy = policy_spec(namespace, account, args.get("label", "version")) if bounded else None
        self.service_account = grant(self, name, namespace, account, rule, policy)
        self.register_outputs({"service_account": self.service_account})
