"""How a message names what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches


def any_of(allowed: Iterable[str], found: str = "") -> str:
    """All that is allowed, and what was probably meant."""
    allowed = list(allowed)
    near = get_close_matches(found, allowed, n=1)
    return ", ".join(allowed) + (f"; did you mean {near[0]}?" if near else "")
