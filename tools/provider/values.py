"""Translates between the engine's property values and plain Kubernetes objects."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as in JSON."""

Properties: TypeAlias = dict[str, PropertyValue]
"""The same as the engine sends and takes it; a value may be marked secret."""


def is_map(value: Any) -> TypeGuard[Object]:
    """Whether it is a JSON object, whose keys are always text."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def section(obj: Object, *keys: str) -> Object:
    """The map at that place in the object, {} if there is none (yet: it may be unknown)."""
    for key in keys:
        found = obj.get(key)
        obj = found if is_map(found) else {}
    return obj


def entries(obj: Object, *keys: str) -> list[Object]:
    """The list of maps at that place in the object, [] if there is none."""
    found = section(obj, *keys[:-1]).get(keys[-1])
    return found if is_list(found) else []


def plain(value: PropertyValue) -> Any:
    """The value without its marks. Whole numbers become int: the API server refuses `80.0`."""
    inner = value.value
    if isinstance(inner, str | bool) or inner is None:
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return plain_map(inner)
    if isinstance(inner, Sequence):
        return [plain(item) for item in inner]
    # Assets, archives and resource references occur in no Kubernetes kind.
    raise TypeError(f"{type(inner).__name__} is not a value Kubernetes knows")


def plain_map(values: Mapping[str, PropertyValue]) -> Object:
    """The same for a map. Nulls are left out: to Kubernetes they mean "not set"."""
    return {key: plain(item) for key, item in values.items() if item.value is not None}


def has_unknown(value: Any) -> bool:
    """Whether anything in a plain value will only be known after the deployment."""
    if is_map(value):
        return any(has_unknown(item) for item in value.values())
    if is_list(value):
        return any(has_unknown(item) for item in value)
    return value == UNKNOWN


def properties(obj: Object, like: Mapping[str, PropertyValue]) -> Properties:
    """The object for the engine: what is secret in `like` is secret here at the same place.

    A Secret's data is always secret, as with the published plugin.
    """
    result = {key: _property(item, like.get(key)) for key, item in obj.items()}
    if obj.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in result:
                result[key] = result[key].with_secret(True)
    return result


def _property(value: Any, like: PropertyValue | None) -> PropertyValue:
    secret = like is not None and like.is_secret
    inner = like.value if like is not None else None
    if is_map(value):
        known: Mapping[str, PropertyValue] = inner if isinstance(inner, Mapping) else {}
        return PropertyValue(
            {key: _property(item, known.get(key)) for key, item in value.items()}, secret
        )
    if is_list(value):
        # The API server may reorder a list: a secret anywhere in it makes all of it secret.
        secret = secret or (like is not None and like.contains_secret())
        return PropertyValue([_property(item, None) for item in value], secret)
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return PropertyValue(value, secret)
