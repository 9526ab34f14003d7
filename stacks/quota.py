"""Whether a stack's pods fit the quota of its namespace."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from components.manifest import Object
from components.quantity import parse_quantity, quantity_text
from components.usage import pod_usage, times, total


def misfits(
    quota: Mapping[str, str], pods: Iterable[tuple[Object, Mapping[str, Any]]]
) -> list[str]:
    """Where the quota is too small for these pods, given as spec and arguments.

    A Deployment's rolling update runs one pod more for a while; the quota must
    leave room for the largest of these, or the update would never end.
    """
    counted = [(pod_usage(spec), args) for spec, args in pods]
    totals = total(times(args.get("replicas", 1), usage) for usage, args in counted)
    found = broken_pods("quota", quota)
    for key, text in quota.items():
        rolled = (usage[key] for usage, args in counted if args["workload"] == "deployment")
        surge = max(rolled, default=Decimal(0))
        if parse_quantity(text) < totals[key] + surge:
            need, pods_alone, update = (
                quantity_text(key, value) for value in (totals[key] + surge, totals[key], surge)
            )
            found.append(
                f"quota.{key}: found {text}, allowed is at least {need}:"
                f" {pods_alone} for the demos, {update} for a rolling update"
            )
    return found


def broken_pods(path: str, amounts: Mapping[str, str]) -> list[str]:
    """What is wrong with the number of pods in a quota or budget: half a pod is none."""
    text = amounts.get("pods", "0")
    whole = parse_quantity(text) == parse_quantity(text).to_integral_value()
    return [] if whole else [f"{path}.pods: found {text}, allowed is a whole number"]
