"""How a message names what is allowed."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any


def any_of(allowed: Iterable[str], found: str = "") -> str:
    """All that is allowed, and what was probably meant."""
    # What is both an image's role and a container is one name.
    allowed = [*dict.fromkeys(allowed)]
    near = get_close_matches(found, allowed, n=1)
    return ", ".join(allowed) + (f"; did you mean {near[0]}?" if near else "")


def check_keys(args: Mapping[str, Any], allowed: type) -> None:
    """Raise ValueError for arguments that a component doesn't have.

    For those whose type checker didn't: a misspelt one would be left out without a word.
    """
    names = list(allowed.__annotations__)
    unknown = [name for name in args if name not in names]
    if unknown:
        lines = (f"{name}: is no key here, allowed is {any_of(names, name)}" for name in unknown)
        raise ValueError("\n".join(lines))
