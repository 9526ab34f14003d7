"""Whether a stack's pods keep to its budget.

A budget is what a stack may take at rest, agreed on by people: a change that exceeds it can be
rendered, shown and discussed, but not deployed. A quota is what the cluster enforces at any
moment, so it must also leave room for the one pod more of a rolling update (see quota.py), for
which a budget counts nothing.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from components.manifest import Object
from components.quantity import parse_quantity, quantity_text
from components.usage import total, workload_usage

_NAMED = 3
"""How many of those that take the most are named."""


def exceeded(budget: Mapping[str, str], objects: Iterable[Object]) -> list[str]:
    """Where the pods of a stack's manifests take more than its budget, a line a key.

    Each says what was found, what is allowed, and who takes the most of it.
    """
    usages = [(item["metadata"]["name"], workload_usage(item)) for item in objects]
    totals = total(usage for _, usage in usages)
    found: list[str] = []
    for key, text in budget.items():
        over = totals[key] - parse_quantity(text)
        if over > 0:
            shares = [(usage[key], name) for name, usage in usages if usage.get(key)]
            found.append(
                f"budget.{key}: found {quantity_text(key, totals[key])}, allowed is {text}:"
                f" {quantity_text(key, over)} too much. Most takes {_largest(key, shares)}"
            )
    return found


def _largest(key: str, shares: list[tuple[Decimal, str]]) -> str:
    first = sorted(shares, key=lambda share: (-share[0], share[1]))[:_NAMED]
    return ", ".join(f"{name} ({quantity_text(key, amount)})" for amount, name in first)
