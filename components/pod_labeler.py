"""Pod labeler: the least that a sidecar needs to change one label of its own pod.

RBAC alone can't say it: `resourceNames` needs the pod's name beforehand, and
`patch` covers all of the pod's fields, its image included. So an admission
policy says the rest: in its own pod, and only that label, may differ.
Needs Kubernetes 1.30.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from typing import NotRequired, TypedDict

import pulumi

from .manifest import Object, register
from .messages import check_keys


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
    """The ValidatingAdmissionPolicy's spec, in CEL.

    A token that is bound to no pod has no pod name; the expression then fails,
    and so does the request.
    """

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

    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["UPDATE"],
                    "resources": ["pods", "pods/*"],
                }
            ],
        },
        "matchConditions": [
            {
                "name": "is-the-labeler",
                "expression": "request.userInfo.username =="
                f" 'system:serviceaccount:{namespace}:{account}'",
            }
        ],
        "validations": [
            {
                "expression": "request.userInfo.extra['authentication.kubernetes.io/pod-name'][0]"
                " == object.metadata.name",
                "message": f"{account} may change only the pod that it runs in",
            },
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
        ],
    }


class PodLabeler(pulumi.ComponentResource):
    """A service account that can change one label of the pod that it runs in."""

    service_account: pulumi.Output[str]
    """Name of the service account."""

    def __init__(
        self, name: str, args: PodLabelerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, PodLabelerArgs)
        super().__init__("sidecar-powers:index:PodLabeler", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ServiceAccount
        from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

        namespace = args.get("namespace", "default")
        account = args.get("name", "pod-labeler")
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"name": account, "namespace": namespace}
        rule: Object = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}
        if "pod_name" in args:
            rule["resourceNames"] = [args["pod_name"]]

        service_account = register(
            ServiceAccount,
            name,
            {"metadata": metadata, "automountServiceAccountToken": False},
            child,
        )
        register(Role, name, {"metadata": metadata, "rules": [rule]}, child)
        group = "rbac.authorization.k8s.io"
        binding = {
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }
        register(RoleBinding, name, binding, child)
        if args.get("admission_policy", True):
            from pulumi_kubernetes.admissionregistration.v1 import (
                ValidatingAdmissionPolicy,
                ValidatingAdmissionPolicyBinding,
            )

            # No namespace has a dot, so no two pairs give the same name.
            policy = f"{namespace}.{account}"
            spec = policy_spec(namespace, account, args.get("label", "version"))
            manifest = {"metadata": {"name": policy}, "spec": spec}
            register(ValidatingAdmissionPolicy, name, manifest, child)
            spec = {"policyName": policy, "validationActions": ["Deny"]}
            manifest = {"metadata": {"name": policy}, "spec": spec}
            register(ValidatingAdmissionPolicyBinding, name, manifest, child)
        self.service_account = service_account.metadata["name"]
        self.register_outputs({"service_account": self.service_account})
