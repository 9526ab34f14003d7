"""Places in an object: `("spec", "containers", 0, "image")` and how the engine writes them."""

import re
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys of maps and indexes of lists, from the outside in."""

_STEP = re.compile(r"""\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([^.\[\]]+)""")
_SIMPLE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def parse(text: str) -> Path:
    """The path that the engine writes as `metadata.labels["app.kubernetes.io/name"]`.

    See https://www.pulumi.com/docs/iac/concepts/resources/options/ignorechanges/#property-paths.
    """
    steps: list[str | int] = []
    for index, quoted, name in _STEP.findall(text):
        steps.append(int(index) if index else quoted.replace('\\"', '"') if quoted else name)
    return tuple(steps)


def render(path: Path) -> str:
    """The path as the engine writes it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _SIMPLE.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += '["{}"]'.format(step.replace('"', '\\"'))
    return text


def below(path: Path, pattern: Path) -> bool:
    """Whether the path is the pattern's place or inside it; the step `*` matches any step."""
    return len(path) >= len(pattern) and touches(path, pattern)


def touches(path: Path, pattern: Path) -> bool:
    """Whether one of them is inside the other: changing `spec` touches `spec.selector`."""
    return all(want in ("*", step) for step, want in zip(path, pattern, strict=False))


def get(value: Any, path: Path) -> Any:
    """What is at that place, None if nothing is."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
