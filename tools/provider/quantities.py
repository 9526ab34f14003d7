"""Amounts that are written in more than one way: the API server rewrites `0.1` as `100m`."""

from decimal import Decimal
from typing import Any

from kubernetes.utils import quantity

_MAPS = {
    *("capacity", "default", "defaultRequest", "hard", "limits", "max", "min", "overhead"),
    *("maxLimitRequestRatio", "podFixed", "requests"),
}
"""Maps of quantities."""

_FIELDS = {"divisor", "sizeLimit"}
"""Single quantities."""


def same_amount(one: Any, other: Any, key: Any, parent: Any) -> bool:
    """Whether two values at `key` in `parent` are quantities of the same amount."""
    if key not in _FIELDS and parent not in _MAPS:
        return False
    try:
        return _number(one) == _number(other)
    except ValueError:
        return False


def _number(text: Any) -> Decimal:
    untyped: Any = quantity
    return untyped.parse_quantity(str(text))
