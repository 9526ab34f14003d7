"""Rules about RBAC: no wildcards, and whoever may change pods changes its own, and no selector.

https://kubernetes.io/docs/concepts/security/rbac-good-practices/
"""

from collections.abc import Iterable, Iterator

from policy.accounts import (
    Account,
    accounts_of,
    binds,
    binds_built_in,
    changers,
    changes_pods,
    free_labels,
    policies_that_hold,
)
from policy.manifests import (
    Manifests,
    Object,
    Pod,
    found,
    inner,
    is_built_in,
    items,
    namespace,
    texts,
    title,
)
from policy.model import Finding


def no_wildcards(manifests: Manifests) -> Iterable[Finding]:
    """Roles name what they allow."""
    for role in manifests.of("Role", "ClusterRole"):
        for index, rule in enumerate(items(role, "rules")):
            for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
                for value in texts(rule, key):
                    if "*" in value:
                        yield Finding(role, found(f"rules[{index}].{key}", value, "names alone"))


def scoped_pod_patch(manifests: Manifests) -> Iterable[Finding]:
    """A role that changes pods is held to one pod by its name or by an admission policy."""
    for role in manifests.of("Role", "ClusterRole"):
        bound = [
            account
            for binding in manifests.of("RoleBinding", "ClusterRoleBinding")
            if binds(binding, role)
            for account in accounts_of(binding)
        ]
        held = bool(bound) and all(
            account is not None and policies_that_hold(manifests, account) for account in bound
        )
        for index, rule in enumerate(items(role, "rules")):
            if changes_pods(rule) and not held and len(texts(rule, "resourceNames")) != 1:
                allowed = (
                    "one name in resourceNames, or an admission policy that holds each account to"
                    " its own pod"
                )
                told = f"{', '.join(texts(rule, 'verbs'))} of {', '.join(texts(rule, 'resources'))}"
                yield Finding(role, found(f"rules[{index}]", told, allowed))
    for binding in manifests.of("RoleBinding", "ClusterRoleBinding"):
        if binds_built_in(binding):
            name = inner(binding, "roleRef").get("name")
            allowed = "a role of the stack's own, which says less"
            yield Finding(binding, found("roleRef.name", name, allowed))


def selectors_not_self_patched(manifests: Manifests) -> Iterable[Finding]:
    """No label by which something finds a pod can be changed by that pod."""
    for pod in manifests.pods:
        if not any(account.is_of(pod) for account in changers(manifests)):
            continue
        account = Account(namespace(pod.object) or "default", pod.service_account)
        free = free_labels(manifests, account)
        for item, path, labels in _selectors(manifests, pod, free or set()):
            for label in labels:
                if free is None or label in free:
                    message = (
                        f"{path}.{label}: found a label that {account.name} may change in"
                        f" {title(pod.object)}, allowed is one that it may not"
                    )
                    yield Finding(item, message)


def _selectors(
    manifests: Manifests, pod: Pod, free: set[str]
) -> Iterator[tuple[Object, str, list[str]]]:
    """Objects that find a pod by its labels, or may once it has changed those that are free: the
    object, the path, the labels that it looks at."""
    labels = inner(pod.metadata, "labels")
    for item in manifests.objects:
        if namespace(item) != namespace(pod.object) or not is_built_in(item):
            continue
        for path, selector in _of(item):
            equal = inner(selector, "matchLabels")
            if all(labels.get(label) == equal[label] for label in equal if label not in free):
                keys = (str(part.get("key")) for part in items(selector, "matchExpressions"))
                yield item, path, [*equal, *keys]


def _of(item: Object) -> Iterator[tuple[str, Object]]:
    """The pod selectors of an object."""
    kind = item.get("kind")
    if kind in ("ReplicationController", "Service"):
        yield "spec.selector", {"matchLabels": inner(item, "spec", "selector")}
    elif kind in ("DaemonSet", "Deployment", "PodDisruptionBudget", "ReplicaSet", "StatefulSet"):
        yield "spec.selector.matchLabels", inner(item, "spec", "selector")
    elif kind == "NetworkPolicy":
        yield "spec.podSelector.matchLabels", inner(item, "spec", "podSelector")
        for rules, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(items(item, "spec", rules)):
                for peer in items(rule, peers):
                    path = f"spec.{rules}[{index}].{peers}.podSelector.matchLabels"
                    yield path, inner(peer, "podSelector")
