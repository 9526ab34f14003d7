"""How amounts are written, whatever the format."""

from decimal import ROUND_CEILING, Decimal

from components.quantity import parse_quantity, quantity_text
from components.usage import Usage


def amounts(usage: Usage, name: str) -> str:
    """Request and limit of a resource: `10m to 100m`."""
    request, limit = (usage.get(f"{part}.{name}") for part in ("requests", "limits"))
    least = quantity_text(name, request) if request else "none"
    return f"{least} to {quantity_text(name, limit)}" if limit else f"{least}, no limit"


def share(amount: Decimal, limit: str) -> tuple[int, str]:
    """How many per cent of the limit it is, more than 100 if it is more at all; and in words."""
    most = parse_quantity(limit)
    if not most:
        return (101, "more than 0") if amount else (0, "0 of 0")
    part = int((100 * amount / most).to_integral_value(ROUND_CEILING))
    return part, f"{part} % of {limit}"
