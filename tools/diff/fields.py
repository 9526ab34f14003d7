"""Where two versions of a value differ, lists matched by what their elements are called."""

import json
import re
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, TypeGuard

from components.quantity import parse_quantity
from tools.diff.model import Field, Object, Path

_KEYS = {
    "hostAliases": ("ip",),
    "items": ("path", "key", "name"),
    "limits": ("type",),
    "ports": ("name", "containerPort", "port"),
    "topologySpreadConstraints": ("topologyKey",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
}
"""What tells the elements of a list apart, the best first. Elsewhere it is the name.
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

_QUANTITIES = {
    *("capacity", "default", "defaultRequest", "hard", "limits", "max", "min", "requests"),
    *("maxLimitRequestRatio", "overhead"),
}
"""Maps whose values are quantities."""

_QUANTITY = {"divisor", "sizeLimit"}
"""Fields that are one quantity each."""

_SECRET = re.compile(r"\[secret [0-9a-f]{16}\]")
"""What stands for a secret while two of them are compared; the runner makes it."""


def is_map(value: Any) -> TypeGuard[Object]:
    """Whether a value is a mapping."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value is a list."""
    return isinstance(value, list)


def differences(old: Any, new: Any, at: Path = ()) -> list[Field]:
    """Every place where the two differ, as deep as both have it. Secrets are told, not shown."""
    if _same(old, new) or (_is_quantity(at) and _same_quantity(old, new)):
        return []
    if is_map(old) and is_map(new):
        keys = sorted({*old, *new})
        return [
            found for key in keys for found in differences(old.get(key), new.get(key), (*at, key))
        ]
    if is_list(old) and is_list(new):
        key = _key(at[-1] if at else "", old, new)
        return _named(old, new, key, at) if key else _listed(old, new, at)
    return [Field(at, without_secrets(old), without_secrets(new))]


def without_secrets(value: Any) -> Any:
    """A value in which nothing tells secrets apart."""
    if is_map(value):
        return {key: without_secrets(item) for key, item in value.items()}
    if is_list(value):
        return [without_secrets(item) for item in value]
    return _SECRET.sub("[secret]", value) if isinstance(value, str) else value


def written(path: Path) -> str:
    """A path as people write it: `spec.containers[main-app].image`."""
    text = ""
    for part in path:
        if part.startswith("["):
            text += part
        elif re.fullmatch(r"[A-Za-z0-9_$-]+", part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def _same(old: Any, new: Any) -> bool:
    # To Kubernetes an empty list is none. For Python true equals 1.
    old, new = (None if value == [] else value for value in (old, new))
    return old == new and _canonical(old) == _canonical(new)


def _is_quantity(at: Path) -> bool:
    return not _QUANTITIES.isdisjoint(at[-2:-1]) or not _QUANTITY.isdisjoint(at[-1:])


def _same_quantity(old: Any, new: Any) -> bool:
    """Whether two quantities are one amount: the provider compares what they mean."""
    try:
        return parse_quantity(str(old)) == parse_quantity(str(new))
    except ValueError:
        return False


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _key(name: str, old: list[Any], new: list[Any]) -> str:
    """What the elements of both lists can be matched by; empty if by nothing."""
    for key in _KEYS.get(name, ("name",)):
        if all(_distinct(key, items) for items in (old, new)):
            return key
    return ""


def _distinct(key: str, items: list[Any]) -> bool:
    names = [str(item[key]) for item in items if is_map(item) and key in item]
    return len(names) == len(items) == len(set(names))


def _named(old: list[Any], new: list[Any], key: str, at: Path) -> list[Field]:
    """Elements matched by this key, then whether those that stay are in another order."""
    before = {str(item[key]): item for item in old}
    after = {str(item[key]): item for item in new}
    found = [
        field
        for name in dict.fromkeys([*before, *after])
        for field in differences(before.get(name), after.get(name), (*at, f"[{name}]"))
    ]
    stay = [name for name in before if name in after]
    order = [name for name in after if name in before]
    if stay != order:
        found.append(Field(at, stay, order, reordered=True))
    return found


def _listed(old: list[Any], new: list[Any], at: Path) -> list[Field]:
    """Elements matched by what they are, those between by where they stand."""
    before, after = [_canonical(item) for item in old], [_canonical(item) for item in new]
    found: list[Field] = []
    for _, start, end, first, last in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        for left, right in zip_longest(range(start, end), range(first, last)):
            index = left if right is None else right
            found += differences(
                None if left is None else old[left],
                None if right is None else new[right],
                (*at, f"[{index}]"),
            )
    return found
