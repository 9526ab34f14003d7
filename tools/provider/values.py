"""Translates between the engine's property values and plain Kubernetes objects."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from tools.status import Object, is_list, is_map

Properties: TypeAlias = dict[str, PropertyValue]
"""The same as the engine sends and takes it; a value may be marked secret."""


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
