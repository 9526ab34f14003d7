"""Who may change pods, and what admission policies leave of it.

Of CEL only what PodLabeler writes is understood: labels that another expression protects count as
labels that the account may change.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from components.pod_labeler import policy_spec
from policy.manifests import Manifests, Object, Pod, inner, items, metadata, namespace, texts

_BUILT_IN = ("admin", "cluster-admin", "edit")
"""Cluster roles that every cluster has, and that may change pods."""

_WRITES = {"*", "patch", "update"}
_PODS = re.compile(r"(pods|\*)(/(\*|ephemeralcontainers|resize|status))?")
_ANY = "*"
_OWN_POD = (
    "request.userInfo.extra['authentication.kubernetes.io/pod-name'][0] == object.metadata.name"
)
"""Whoever sends a request by a pod's token may change that pod alone."""


@dataclass(frozen=True)
class Account:
    """A service account, or all of a namespace or of the cluster."""

    namespace: str
    name: str

    def is_of(self, pod: Pod) -> bool:
        """Whether it is the pod's."""
        place = namespace(pod.object) or "default"
        return self.namespace in (_ANY, place) and self.name in (_ANY, pod.service_account)


def changes_pods(rule: Object) -> bool:
    """Whether a rule of a role allows to change pods."""
    return bool(
        {"", "*"} & {*texts(rule, "apiGroups")}
        and _WRITES & {*texts(rule, "verbs")}
        and any(map(_PODS.fullmatch, texts(rule, "resources")))
    )


def binds(binding: Object, role: Object) -> bool:
    """Whether a binding gives this role."""
    reference = inner(binding, "roleRef")
    here = role.get("kind") == "ClusterRole" or namespace(role) == namespace(binding)
    same = reference.get("kind") == role.get("kind")
    return here and same and reference.get("name") == metadata(role).get("name")


def binds_built_in(binding: Object) -> bool:
    """Whether a binding gives a role that every cluster has and that may change pods."""
    reference = inner(binding, "roleRef")
    return reference.get("kind") == "ClusterRole" and reference.get("name") in _BUILT_IN


def accounts_of(binding: Object) -> Iterator[Account | None]:
    """Whom a binding gives its role to; None stands for people."""
    for subject in items(binding, "subjects"):
        kind, name = subject.get("kind"), str(subject.get("name"))
        if kind == "ServiceAccount":
            yield Account(str(subject.get("namespace") or namespace(binding)), name)
        elif kind == "User" and name.startswith("system:serviceaccount:"):
            yield Account(*name.split(":", 3)[2:])
        elif kind == "Group" and name.startswith("system:serviceaccounts:"):
            yield Account(name.split(":", 2)[2], _ANY)
        elif kind == "Group" and name in ("system:serviceaccounts", "system:authenticated"):
            yield Account(_ANY, _ANY)
        else:
            yield None


def changers(manifests: Manifests) -> Iterator[Account]:
    """The accounts that may change pods, whatever an admission policy says of it."""
    roles = [
        role
        for role in manifests.of("Role", "ClusterRole")
        if any(map(changes_pods, items(role, "rules")))
    ]
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        if binds_built_in(binding) or any(binds(binding, role) for role in roles):
            yield from (account for account in accounts_of(binding) if account is not None)


def policies_that_hold(manifests: Manifests, account: Account) -> list[Object]:
    """The admission policies that are in force and hold an account to its own pod."""
    bound = {
        inner(binding, "spec").get("policyName")
        for binding in manifests.of("ValidatingAdmissionPolicyBinding")
        if "Deny" in texts(binding, "spec", "validationActions")
        and not _narrows(inner(binding, "spec", "matchResources"), account)
    }
    return [
        policy
        for policy in manifests.of("ValidatingAdmissionPolicy")
        if metadata(policy).get("name") in bound and _holds(policy, account)
    ]


def _holds(policy: Object, account: Account) -> bool:
    user = f"system:serviceaccount:{account.namespace}:{account.name}"
    conditions = _expressions(policy, "matchConditions")
    constraints = inner(policy, "spec", "matchConstraints")
    return (
        inner(policy, "spec").get("failurePolicy", "Fail") == "Fail"
        and not _narrows(constraints, account)
        and any(map(_sees_pods, items(constraints, "resourceRules")))
        and all(text == f"request.userInfo.username == '{user}'" for text in conditions)
        and _OWN_POD in _expressions(policy, "validations")
    )


def _sees_pods(rule: Object) -> bool:
    return bool(
        {"", "*"} & {*texts(rule, "apiGroups")}
        and {"*", "UPDATE"} & {*texts(rule, "operations")}
        and {"*", "*/*", "pods"} & {*texts(rule, "resources")}
    )


def _narrows(match: Object, account: Account) -> bool:
    """Whether something of an account's namespace escapes what is matched."""
    places = inner(match, "namespaceSelector")
    own = {"kubernetes.io/metadata.name": account.namespace}
    return bool(
        inner(match, "objectSelector")
        or items(match, "excludeResourceRules")
        or items(places, "matchExpressions")
        or {**inner(places, "matchLabels")} not in ({}, own)
    )


def free_labels(manifests: Manifests, account: Account) -> set[str] | None:
    """The labels that the policies let an account change; None for all of them."""
    free: set[str] | None = None
    for policy in policies_that_hold(manifests, account):
        expressions = _expressions(policy, "validations")
        for label in re.findall(r"\bkey == '([^']*)'", " ".join(expressions)):
            spec = policy_spec(account.namespace, account.name, label)
            if {*_expressions({"spec": spec}, "validations")} <= {*expressions}:
                free = {label} if free is None else free & {label}
    return free


def _expressions(policy: Object, part: str) -> list[str]:
    """The CEL of a policy, spaces and quotes as PodLabeler writes them."""
    written = (str(item.get("expression")) for item in items(policy, "spec", part))
    return [" ".join(text.split()).replace('"', "'") for text in written]
