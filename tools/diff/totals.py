"""What all pods of a stack take together, and their QoS classes."""

from collections.abc import Iterable

from components.usage import Usage, pods, qos_class, texts, total, workload_usage
from tools.diff.model import Item


def totals(items: Iterable[Item]) -> dict[str, str]:
    """The totals by key of a quota, then the QoS class of each workload's pods.

    Pods that are none count nothing; comparing them says what is wrong with them.
    """
    usages: list[Usage] = []
    classes: dict[str, str] = {}
    for item in items:
        usage = workload_usage(item.object)
        if usage:
            usages.append(usage)
            classes[f"QoS of {item.name}"] = qos_class(pods(item.object)[0])
    return texts(total(usages)) | dict(sorted(classes.items()))
