"""What all pods of a stack take together, and their QoS classes."""

from collections.abc import Iterable
from decimal import Decimal

from components.workload import qos_class
from stacks.quota import KEYS, pod_usage, quantity_text
from tools.diff.model import Item, Object

_WITH_TEMPLATE = ("Deployment", "ReplicaSet", "StatefulSet")


def totals(items: Iterable[Item]) -> dict[str, str]:
    """The totals by key of a quota, then the QoS class of each workload's pods.

    Pods that are none count nothing; comparing them says what is wrong with them.
    """
    sums = dict.fromkeys(KEYS, Decimal(0))
    classes: dict[str, str] = {}
    for item in items:
        try:
            spec, replicas = _pods(item)
            usage = pod_usage(spec) if replicas else {}
            quality = qos_class(spec) if replicas else ""
        except (AttributeError, LookupError, TypeError, ValueError):
            continue
        for key in usage:
            sums[key] += usage[key] * replicas
        if quality:
            classes[f"QoS of {item.name}"] = quality
    return {key: quantity_text(key, amount) for key, amount in sums.items()} | dict(
        sorted(classes.items())
    )


def _pods(item: Item) -> tuple[Object, int]:
    """The spec of an object's pods and their number."""
    spec: Object = item.object.get("spec") or {}
    if item.kind == "Pod":
        return spec, 1
    if item.kind in _WITH_TEMPLATE:
        return spec["template"]["spec"], spec.get("replicas", 1)
    return {}, 0
