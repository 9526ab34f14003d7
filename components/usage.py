"""What pods take: their effective requests and limits, and their QoS class.

These are Kubernetes' own rules, by which the scheduler finds a node, a ResourceQuota counts and
the kubelet evicts. All that reckons with them, in outputs, checks and reports, does it here.
https://kubernetes.io/docs/concepts/resource-management/effective-pod-requests-limits/
"""

from collections.abc import Iterable
from decimal import Decimal

from .manifest import Object
from .quantity import parse_quantity, quantity_text

RESOURCE_NAMES = ("cpu", "memory", "ephemeral-storage")
"""The resources that are counted."""

_POD_LEVEL = ("cpu", "memory")
"""Those that a pod can request as a whole; they alone make its QoS class."""

_PARTS = ("requests", "limits")

KEYS = (*(f"{part}.{name}" for part in _PARTS for name in RESOURCE_NAMES), "pods")
"""What a quota can name; others can't be reckoned before there are pods."""

Usage = dict[str, Decimal]
"""Amounts by key of a quota."""

_WITH_TEMPLATE = ("Deployment", "ReplicaSet", "StatefulSet")


def container_usage(container: Object) -> Usage:
    """The requests and limits that a container has; a request not given is as high as the limit."""
    given: Object = container.get("resources") or {}
    limits: Object = given.get("limits") or {}
    return _amounts({"requests": {**limits, **(given.get("requests") or {})}, "limits": limits})


def pod_usage(spec: Object) -> Usage:
    """What the scheduler and the quota count for a pod, by all keys: the most that it takes at any
    time, unless the pod as a whole says otherwise, and its `overhead`.

    Init containers run one at a time, native sidecars beside all that come after them.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    usage = {**total([_peak(spec)]), **_pod_level(spec), "pods": Decimal(1)}
    for key, amount in _amounts(dict.fromkeys(_PARTS, spec.get("overhead"))).items():
        # It makes no limit where there is none.
        if key.startswith("requests.") or usage[key]:
            usage[key] += amount
    return usage


def qos_class(spec: Object) -> str:
    """The QoS class that the API server will give the pod.

    Storage and overhead don't count, nor does an amount of 0. What the pod requests as a whole
    stands for all that its containers say.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    whole = spec.get("resources") is not None
    parts = (
        [_pod_level(spec)]
        if whole
        else [container_usage(item) for item in [*_init(spec), *spec["containers"]]]
    )
    pairs = [
        tuple(part.get(f"{kind}.{name}", Decimal(0)) for kind in _PARTS)
        for part in parts
        for name in _POD_LEVEL
    ]
    if not any(request or limit for request, limit in pairs):
        return "BestEffort"
    return "Guaranteed" if all(request == limit > 0 for request, limit in pairs) else "Burstable"


def pods(item: Object) -> tuple[Object, int]:
    """The spec of the pods that an object is or asks for, and their number: 0 for others.

    Not for those of which only the cluster knows how many pods they have: DaemonSets and Jobs.
    """
    spec: Object = item.get("spec") or {}
    if item.get("kind") == "Pod":
        return spec, 1
    if item.get("kind") in _WITH_TEMPLATE:
        replicas = spec.get("replicas")
        # On Pulumi's wire all numbers are floating.
        return spec["template"]["spec"], 1 if replicas is None else int(replicas)
    return {}, 0


def workload_usage(item: Object) -> Usage:
    """What all pods of an object count; {} for one without pods, and for pods that are none."""
    try:
        spec, replicas = pods(item)
        return times(replicas, pod_usage(spec)) if replicas else {}
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}


def times(replicas: int, usage: Usage) -> Usage:
    """What so many pods count together."""
    return {key: amount * replicas for key, amount in usage.items()}


def total(usages: Iterable[Usage]) -> Usage:
    """All of them together, by all keys."""
    found = [*usages]
    return {key: sum((usage.get(key, Decimal(0)) for usage in found), Decimal(0)) for key in KEYS}


def texts(usage: Usage) -> dict[str, str]:
    """The amounts as quantities."""
    return {key: quantity_text(key, amount) for key, amount in usage.items()}


def _init(spec: Object) -> list[Object]:
    return spec.get("initContainers") or []


def _amounts(given: Object, names: Iterable[str] = RESOURCE_NAMES) -> Usage:
    """The amounts of requests and limits, given as in a manifest."""
    parts: dict[str, Object] = {part: given.get(part) or {} for part in _PARTS}
    return {
        f"{part}.{name}": parse_quantity(str(amounts[name]))
        for part, amounts in parts.items()
        for name in names
        if name in amounts
    }


def _peak(spec: Object) -> Usage:
    """The most that its containers take at the same time, by the keys that any of them names."""
    moments: list[list[Usage]] = []
    sidecars: list[Usage] = []
    for container in _init(spec):
        usage = container_usage(container)
        moments.append([*sidecars, usage])
        if container.get("restartPolicy") == "Always":
            sidecars.append(usage)
    moments.append([*sidecars, *map(container_usage, spec["containers"])])
    named = {key for moment in moments for usage in moment for key in usage}
    sums = [total(moment) for moment in moments]
    return {key: max(usage[key] for usage in sums) for key in named}


def _pod_level(spec: Object) -> Usage:
    """What the pod as a whole may take, where its spec says so (from Kubernetes 1.34 on).

    If it limits anything, it also requests what its containers request, or else the limit.
    https://kubernetes.io/docs/tasks/configure-pod-container/assign-pod-level-resources/
    """
    given = _amounts(spec.get("resources") or {}, _POD_LEVEL)
    limits = {f"requests.{name}": given.get(f"limits.{name}") for name in _POD_LEVEL}
    limited = {key: amount for key, amount in limits.items() if amount is not None}
    if not limited:
        return given
    peak = _peak(spec)
    return {**limited, **{key: peak[key] for key in peak if key.startswith("requests.")}, **given}
