"""Kubernetes quantities as numbers: `250m`, `64Mi`, `1e3`, `2`."""

import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|([A-Za-z]*))")


def parse_quantity(text: str) -> Decimal:
    """The value of a quantity in its base unit: CPUs, or bytes.

    Raises ValueError for text that is no quantity.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or (match[3] or "") not in _SUFFIXES:
        raise ValueError(f"{text!r} is no quantity: allowed are numbers such as 250m, 64Mi or 2")
    return Decimal(match[1] + (match[2] or "")) * _SUFFIXES[match[3] or ""]


def millicores(text: str) -> int:
    """An amount of CPU that a container can be held to, as Kubernetes counts it.

    Raises ValueError for others: the kernel's smallest share is 10 millicores.
    """
    amount = parse_quantity(text) * 1000
    if amount < 10 or amount != amount.to_integral_value():
        raise ValueError("allowed are whole millicores, 10m or more")
    return int(amount)


def quantity_text(name: str, amount: Decimal) -> str:
    """A quantity as people write it: millicores of `cpu`, a number of `pods`, of all else Gi or Mi
    where they are whole."""
    if name.endswith("cpu"):
        return f"{_plain(amount * 1000)}m"
    if name != "pods":
        for suffix in ("Gi", "Mi"):
            units = amount / _SUFFIXES[suffix]
            if units == units.to_integral_value() and (units or suffix == "Mi"):
                return f"{_plain(units)}{suffix}"
    return _plain(amount)


def _plain(amount: Decimal) -> str:
    """A number without zeros that say nothing."""
    return f"{amount.normalize():f}"
