"""Registers objects as a plain Pulumi program does: no components, a loop over manifests."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pulumi

_GROUPS = {"": "core", "rbac.authorization.k8s.io": "rbac", "networking.k8s.io": "networking"}


def register(file: Path) -> None:
    """Register the objects that a file has as JSON, a Namespace before all others."""
    first: list[pulumi.Resource] = []
    kinds: dict[tuple[str, str], Callable[..., pulumi.Resource]] = {}
    for item in json.loads(file.read_text()):
        key = item.pop("apiVersion"), item.pop("kind")
        if key not in kinds:
            kinds[key] = _class(*key)
        words: dict[str, Any] = {
            re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name): value
            for name, value in item.items()
        }
        if key[1] == "Secret":
            for part in {"data", "string_data"} & words.keys():
                words[part] = pulumi.Output.secret(words[part])
        made = kinds[key](
            item["metadata"]["name"], **words, opts=pulumi.ResourceOptions(depends_on=first)
        )
        if key[1] == "Namespace":
            first = [made]


def _class(version: str, kind: str) -> Callable[..., pulumi.Resource]:
    group, _, number = version.rpartition("/")
    package = _GROUPS.get(group, group.partition(".")[0])
    return getattr(import_module(f"pulumi_kubernetes.{package}.{number}"), kind)
