"""What a sidecar needs to change its own pod, whatever it may change of it.

In the pod: a token in one container, which expires and is read again at each use. In
the cluster: a service account, the least that RBAC can say, and an admission policy for
what it can't: `resourceNames` needs the pod's name beforehand, and a verb covers all
fields. Needs Kubernetes 1.30.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Mapping, Sequence

import pulumi

from .manifest import Object, register

CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where the container that mounts it has its token."""

TOKEN_MOUNT: Object = {"name": "api-token", "mountPath": CREDENTIALS, "readOnly": True}
"""For the one container that may have it."""

TOKEN_VOLUME: Object = {
    "name": "api-token",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
        ]
    },
}
"""The token lives for an hour; the kubelet replaces it before."""


def field(path: str) -> Object:
    """The value of a field of the pod."""
    return {"fieldRef": {"fieldPath": path}}


OWN_NAME: list[Object] = [
    {"name": "POD_NAME", "valueFrom": field("metadata.name")},
    {"name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace")},
]
"""Environment variables that tell a container its pod."""

OWN_POD = (
    "request.userInfo.extra['authentication.kubernetes.io/pod-name'][0] == object.metadata.name"
)
"""CEL: who sends the request runs in the pod that it is about. A token that is bound to no pod has
no pod name; the expression then fails, and so does the request."""


def policy_of(
    namespace: str,
    account: str,
    condition: str,
    validations: Sequence[Object],
    variables: Mapping[str, str] | None = None,
) -> Object:
    """The spec of a ValidatingAdmissionPolicy that holds an account to its own pod, and there to
    what the validations say, in CEL. `condition` names the condition that it is this account."""
    own_pod = {
        "expression": OWN_POD,
        "message": f"{account} may change only the pod that it runs in",
    }
    named = [{"name": name, "expression": cel} for name, cel in (variables or {}).items()]
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
                "name": condition,
                "expression": "request.userInfo.username =="
                f" 'system:serviceaccount:{namespace}:{account}'",
            }
        ],
        **({"variables": named} if named else {}),
        "validations": [own_pod, *validations],
    }


def grant(
    parent: pulumi.ComponentResource,
    name: str,
    namespace: str,
    account: str,
    rule: Object,
    policy: Object | None,
) -> pulumi.Output[str]:
    """Register a service account that has this one rule, and the policy's spec in force for it.

    All children have the same name and parent; the result is the account's name.
    """
    from pulumi_kubernetes.core.v1 import ServiceAccount
    from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

    child = pulumi.ResourceOptions(parent=parent)
    metadata = {"name": account, "namespace": namespace}
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
    if policy is not None:
        from pulumi_kubernetes.admissionregistration.v1 import (
            ValidatingAdmissionPolicy,
            ValidatingAdmissionPolicyBinding,
        )

        # No namespace has a dot, so no two pairs give the same name.
        full = f"{namespace}.{account}"
        manifest = {"metadata": {"name": full}, "spec": policy}
        register(ValidatingAdmissionPolicy, name, manifest, child)
        spec = {"policyName": full, "validationActions": ["Deny"]}
        manifest = {"metadata": {"name": full}, "spec": spec}
        register(ValidatingAdmissionPolicyBinding, name, manifest, child)
    return service_account.metadata["name"]
