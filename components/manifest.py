"""Manifests in Kubernetes' own spelling, as the components write them."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import pulumi

Object = dict[str, Any]
"""A manifest or a part of one."""

_Resource = TypeVar("_Resource", bound=pulumi.Resource)


def register(
    kind: Callable[..., _Resource], name: str, manifest: Object, opts: pulumi.ResourceOptions
) -> _Resource:
    """Register a manifest, apiVersion and kind aside, as a resource of that kind.

    Only the SDK's keyword arguments are spelled the Python way.
    """
    words = {re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", key): manifest[key] for key in manifest}
    return kind(name, **words, opts=opts)
