"""Whether a stack's pods fit the quota of its namespace."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from components.manifest import Object
from components.quantity import parse_quantity

RESOURCES = ("cpu", "memory", "ephemeral-storage")
KEYS = (*(f"{part}.{name}" for part in ("requests", "limits") for name in RESOURCES), "pods")
"""What a quota can name; others can't be checked before there are pods."""

Usage = dict[str, Decimal]
"""Amounts by key of the quota."""


def pod_usage(spec: Object) -> Usage:
    """What the scheduler and the quota count for a pod.

    Sidecars run beside the app, and beside the init containers that come after
    them; other init containers run one at a time, before the app.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    usage: Usage = {"pods": Decimal(1)}
    for part in ("requests", "limits"):
        for name in RESOURCES:
            sidecars = peak = Decimal(0)
            for container in spec.get("initContainers", []):
                amount = _amount(container, part, name)
                if container.get("restartPolicy") == "Always":
                    sidecars += amount
                    amount = Decimal(0)
                peak = max(peak, sidecars + amount)
            app = sum((_amount(item, part, name) for item in spec["containers"]), Decimal(0))
            usage[f"{part}.{name}"] = max(app + sidecars, peak)
    return usage


def misfits(
    quota: Mapping[str, str], pods: Iterable[tuple[Object, Mapping[str, Any]]]
) -> list[str]:
    """Where the quota is too small for these pods, given as spec and arguments.

    A Deployment's rolling update runs one pod more for a while; the quota must
    leave room for the largest of these, or the update would never end.
    """
    counted = [(pod_usage(spec), args) for spec, args in pods]
    found: list[str] = []
    for key, text in quota.items():
        if key == "pods" and parse_quantity(text) % 1:
            found.append(f"quota.pods: found {text}, allowed is a whole number")
        total = sum((usage[key] * args.get("replicas", 1) for usage, args in counted), Decimal(0))
        rolled = (usage[key] for usage, args in counted if args["workload"] == "deployment")
        surge = max(rolled, default=Decimal(0))
        if parse_quantity(text) < total + surge:
            need, pods_alone, update = (
                quantity_text(key, value) for value in (total + surge, total, surge)
            )
            found.append(
                f"quota.{key}: found {text}, allowed is at least {need}:"
                f" {pods_alone} for the demos, {update} for a rolling update"
            )
    return found


def _amount(container: Object, part: str, resource: str) -> Decimal:
    """Of one container. A request that isn't given is as high as the limit."""
    resources = container.get("resources", {})
    limit = resources.get("limits", {}).get(resource, "0")
    amount = resources.get(part, {}).get(resource, limit if part == "requests" else "0")
    return parse_quantity(str(amount))


def quantity_text(key: str, value: Decimal) -> str:
    """A quantity as people write it: millicores, mebibytes, pods."""
    if key.endswith("cpu"):
        return f"{value * 1000:f}m".replace(".000m", "m")
    if key == "pods":
        return f"{value:f}"
    return f"{value / 1024**2:f}Mi"
