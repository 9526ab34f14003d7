"""Rules about RBAC: no wildcards, and whoever may change pods changes its own, and no selector.

What an account may change of a pod is read from the ValidatingAdmissionPolicies that name it. An
expression that is written in another way than `key == 'a'` or `key in ['a', 'b']` counts as one
that allows every label.
https://kubernetes.io/docs/concepts/security/rbac-good-practices/
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policy.manifests import (
    Manifests,
    Object,
    Pod,
    found,
    inner,
    listed,
    metadata,
    namespace,
    title,
)
from policy.model import Finding

_BUILT_IN = ("admin", "cluster-admin", "edit")
"""Cluster roles that every cluster has, and that may change pods."""

_WRITES = {"*", "patch", "update"}
_PODS = {"*", "*/*", "pods", "pods/*", "pods/ephemeralcontainers", "pods/resize"}


@dataclass(frozen=True)
class _Account:
    namespace: str
    name: str


def no_wildcards(manifests: Manifests) -> Iterable[Finding]:
    """Roles name what they allow."""
    for role in manifests.of("Role", "ClusterRole"):
        for index, rule in enumerate(listed(role, "rules")):
            for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
                for value in listed(rule, key):
                    if "*" in value:
                        yield Finding(role, found(f"rules[{index}].{key}", value, "names alone"))


def scoped_pod_patch(manifests: Manifests) -> Iterable[Finding]:
    """A role that changes pods is held to one pod by its name or by an admission policy."""
    for role in manifests.of("Role", "ClusterRole"):
        subjects = list(_subjects(manifests, role))
        held = bool(subjects) and all(
            subject is not None and _policies(manifests, subject) for subject in subjects
        )
        for index, rule in enumerate(listed(role, "rules")):
            if _changes_pods(rule) and not held and not rule.get("resourceNames"):
                allowed = "resourceNames, or an admission policy that holds each account to its pod"
                verbs = ", ".join(listed(rule, "verbs"))
                yield Finding(role, found(f"rules[{index}]", f"{verbs} on pods", allowed))
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        name = inner(binding, "roleRef").get("name")
        if name in _BUILT_IN:
            allowed = "a role of the stack's own, which says less"
            yield Finding(binding, found("roleRef.name", name, allowed))


def selectors_not_self_patched(manifests: Manifests) -> Iterable[Finding]:
    """No label by which something finds a pod can be changed by that pod."""
    for pod in manifests.pods:
        account = _Account(
            namespace(pod.object), str(pod.spec.get("serviceAccountName") or "default")
        )
        if not _may_change_pods(manifests, account):
            continue
        free = _free_labels(manifests, account)
        for item, path, selector in _selectors(manifests, pod):
            for label in selector:
                if free is None or label in free:
                    message = (
                        f"{path}.{label}: found a label that {account.name} may change in"
                        f" {title(pod.object)}, allowed is one that it may not"
                    )
                    yield Finding(item, message)


def _changes_pods(rule: Object) -> bool:
    groups = {"", "*"} & {*listed(rule, "apiGroups")}
    return bool(
        groups and _WRITES & {*listed(rule, "verbs")} and _PODS & {*listed(rule, "resources")}
    )


def _subjects(manifests: Manifests, role: Object) -> Iterator[_Account | None]:
    """Whom a role is bound to; None stands for people and groups."""
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        reference = inner(binding, "roleRef")
        here = role.get("kind") == "ClusterRole" or namespace(role) == namespace(binding)
        if here and (reference.get("kind"), reference.get("name")) == (
            role.get("kind"),
            metadata(role).get("name"),
        ):
            for subject in listed(binding, "subjects"):
                if subject.get("kind") == "ServiceAccount":
                    place = subject.get("namespace") or namespace(binding)
                    yield _Account(str(place), str(subject.get("name")))
                else:
                    yield None


def _may_change_pods(manifests: Manifests, account: _Account) -> bool:
    return any(
        account in _subjects(manifests, role)
        for role in manifests.of("Role", "ClusterRole")
        if any(map(_changes_pods, listed(role, "rules")))
    )


def _policies(manifests: Manifests, account: _Account) -> list[Object]:
    """The admission policies that are in force and hold an account to its own pod."""
    user = f"'system:serviceaccount:{account.namespace}:{account.name}'"
    bound = {
        inner(binding, "spec").get("policyName")
        for binding in manifests.of("ValidatingAdmissionPolicyBinding")
        if "Deny" in listed(binding, "spec", "validationActions")
    }
    return [
        policy
        for policy in manifests.of("ValidatingAdmissionPolicy")
        if metadata(policy).get("name") in bound
        and inner(policy, "spec").get("failurePolicy", "Fail") == "Fail"
        and user in " ".join(_expressions(policy, "matchConditions"))
        and "'authentication.kubernetes.io/pod-name'" in " ".join(_expressions(policy))
    ]


def _free_labels(manifests: Manifests, account: _Account) -> set[str] | None:
    """The labels that the policies let an account change; None for all of them."""
    free: set[str] | None = None
    for policy in _policies(manifests, account):
        text = " ".join(part for part in _expressions(policy) if "labels" in part)
        named = {*re.findall(r"\bkey == '([^']*)'", text)}
        for names in re.findall(r"\bkey in \[([^\]]*)\]", text):
            named |= {*re.findall(r"'([^']*)'", names)}
        if named:
            free = named if free is None else free & named
    return free


def _expressions(policy: Object, part: str = "validations") -> list[str]:
    return [str(item.get("expression")) for item in listed(policy, "spec", part)]


def _selectors(manifests: Manifests, pod: Pod) -> Iterator[tuple[Object, str, list[str]]]:
    """Objects that find a pod by its labels: the object, the path, the labels that it looks at."""
    labels = inner(pod.metadata, "labels")
    for item in manifests.objects:
        if namespace(item) != namespace(pod.object):
            continue
        key = "podSelector" if item.get("kind") == "NetworkPolicy" else "selector"
        selector = inner(item, "spec", key)
        if not selector:
            continue
        if item.get("kind") == "Service":
            path, equal = f"spec.{key}", selector
        else:
            path = f"spec.{key}.matchLabels"
            equal = inner(selector, "matchLabels")
        if all(labels.get(label) == equal[label] for label in equal):
            yield (
                item,
                path,
                [*equal, *(str(part.get("key")) for part in listed(selector, "matchExpressions"))],
            )
