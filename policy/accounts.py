"""Who may change pods, and what admission policies leave of it.

Of CEL only what PodLabeler writes is understood: labels that another expression protects count as
labels that the account may change.
https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from components.own_pod import OWN_POD
from components.pod_labeler import policy_spec
from policy.manifests import Manifests, Object, Pod, inner, items, metadata, namespace, texts

_BUILT_IN = ("admin", "cluster-admin", "edit")
"""Cluster roles that every cluster has, and that may change pods."""

_WRITES = {"*", "patch", "update"}
_PODS = re.compile(r"(pods|\*)(/(\*|ephemeralcontainers|resize|status))?")
_LABELLED = {"pods", "pods/status"}
"""Those of the next by which a pod's labels can be changed; the others keep all of its metadata."""
_PARTS = {*_LABELLED, "pods/ephemeralcontainers", "pods/resize"}
"""A pod and the subresources by which it can be changed."""
_ANY = "*"


@dataclass(frozen=True)
class Account:
    """A service account, or all of a namespace or of the cluster."""

    namespace: str
    name: str

    def is_of(self, pod: Pod) -> bool:
        """Whether it is the pod's."""
        place = namespace(pod.object) or "default"
        return self.has(Account(place, pod.service_account))

    def has(self, other: "Account") -> bool:
        """Whether it is the other one, or the other one belongs to it."""
        return self.namespace in (_ANY, other.namespace) and self.name in (_ANY, other.name)


def changes_pods(rule: Object) -> bool:
    """Whether a rule of a role allows to change pods."""
    return bool(
        {"", "*"} & {*texts(rule, "apiGroups")}
        and _WRITES & {*texts(rule, "verbs")}
        and any(map(_PODS.fullmatch, texts(rule, "resources")))
    )


def _parts(resources: Iterable[str]) -> set[str]:
    """What the resources of an admission policy's rule come to."""
    named = [resource.partition("/") for resource in resources]
    return {
        part
        for part in _PARTS
        for kind, _, subresource in named
        if kind in ("pods", "*") and subresource in ("*", part.partition("/")[2])
    }


def _changed(role: Object) -> set[str]:
    """A pod and its subresources, as far as a role allows to change them."""
    rules = filter(changes_pods, items(role, "rules"))
    found = [resource for rule in rules for resource in texts(rule, "resources")]
    # To RBAC a star stands for subresources too.
    return _parts("*/*" if resource == "*" else resource for resource in found)


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
    """The accounts that may change labels of pods, whatever an admission policy says of it."""
    for account, changed in _changes(manifests):
        if changed & _LABELLED:
            yield account


def _changes(manifests: Manifests) -> Iterator[tuple[Account, set[str]]]:
    """The accounts that may change pods, each with what a role lets it change."""
    roles = [(role, _changed(role)) for role in manifests.of("Role", "ClusterRole")]
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        changed = _PARTS if binds_built_in(binding) else set[str]()
        for role, parts in roles:
            changed = changed | parts if binds(binding, role) else changed
        if changed:
            yield from (
                (account, changed) for account in accounts_of(binding) if account is not None
            )


def policies_that_hold(
    manifests: Manifests, account: Account, parts: set[str] = _PARTS
) -> list[Object]:
    """The admission policies that are in force and hold an account to its own pod, whichever of
    these parts of pods it changes."""
    needed = {
        part
        for other, changed in _changes(manifests)
        if other.has(account)
        for part in changed & parts
    }
    bound = {
        inner(binding, "spec").get("policyName")
        for binding in manifests.of("ValidatingAdmissionPolicyBinding")
        if "Deny" in texts(binding, "spec", "validationActions")
        and not _narrows(inner(binding, "spec", "matchResources"), account)
    }
    return [
        policy
        for policy in manifests.of("ValidatingAdmissionPolicy")
        if metadata(policy).get("name") in bound and _holds(policy, account, needed)
    ]


def _holds(policy: Object, account: Account, needed: set[str]) -> bool:
    user = f"system:serviceaccount:{account.namespace}:{account.name}"
    conditions = _expressions(policy, "matchConditions")
    constraints = inner(policy, "spec", "matchConstraints")
    return (
        inner(policy, "spec").get("failurePolicy", "Fail") == "Fail"
        and not _narrows(constraints, account)
        and needed <= {part for rule in items(constraints, "resourceRules") for part in _seen(rule)}
        and all(text == f"request.userInfo.username == '{user}'" for text in conditions)
        and OWN_POD in _expressions(policy, "validations")
    )


def _seen(rule: Object) -> set[str]:
    """The changes of a pod and its subresources that a policy's rule asks for."""
    pods = {"", "*"} & {*texts(rule, "apiGroups")} and {"*", "UPDATE"} & {
        *texts(rule, "operations")
    }
    return _parts(texts(rule, "resources")) if pods else set()


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
    for policy in policies_that_hold(manifests, account, _LABELLED):
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
