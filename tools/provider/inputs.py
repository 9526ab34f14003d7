"""Reads what the engine sends along with a request: the type, the name, the settings."""

import hashlib
import json
import secrets
from collections.abc import Mapping

from pulumi.provider.experimental.property_value import PropertyValue

from tools.provider.errors import ProviderError
from tools.provider.values import Properties, has_unknown, plain_map
from tools.status import Object, is_map, section

OLD_INPUTS = "__inputs"
"""Under this key of the old state the server hands over the old inputs, which the SDK's requests
do not carry."""

_AUTONAMED = "pulumi.com/autonamed"
"""The annotation of objects that got a generated name; the published plugin's."""

_NO_OBJECTS = ("helm.sh", "helm", "yaml", "kustomize")


def type_of(token: str) -> tuple[str, str]:
    """apiVersion and kind: of `kubernetes:apps/v1:Deployment`, `apps/v1` and `Deployment`.

    Raises ProviderError for types that are not objects of their own.
    """
    # A child's token is preceded by those of its parents, as in its URN.
    _, module, kind = token.rpartition("$")[2].split(":", 2)
    group, _, version = module.partition("/")
    if group in _NO_OBJECTS or kind.endswith(("Patch", "List")):
        raise ProviderError(
            f"{token} needs the published Kubernetes plugin: its stand-in for the local cluster "
            "serves single objects only, no Patch, List, Helm, YAML or Kustomize resources."
        )
    return (version if group == "core" else module), kind


def settings(values: Mapping[str, PropertyValue]) -> dict[str, str]:
    """The provider's settings, as text: the engine sends a flag as `true` or "true"."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in plain_map(values).items()
    }


def old_inputs(state: Properties) -> Object:
    """The inputs of the last `up`, or what the last refresh made of them."""
    held = state[OLD_INPUTS].value
    return plain_map(held) if isinstance(held, Mapping) else {}


def complete(new: Object, old: Object, token: str, logical_name: str, seed: bytes) -> Object:
    """The inputs with apiVersion and kind, and with a name.

    An object that is given no name is called after its logical name and 8 hex digits, and keeps
    that name. See https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming.
    """
    version, kind = type_of(token)
    if has_unknown(new.get("metadata")) and not is_map(new["metadata"]):
        return {"apiVersion": version, "kind": kind, **new}
    metadata = dict(section(new, "metadata"))
    if "name" not in metadata:
        before = section(old, "metadata")
        digits = hashlib.sha256(seed or secrets.token_bytes(8)).hexdigest()[:8]
        metadata["name"] = before["name"] if is_autonamed(old) else f"{logical_name}-{digits}"
        metadata["annotations"] = {**section(metadata, "annotations"), _AUTONAMED: "true"}
    return {"apiVersion": version, "kind": kind, **new, "metadata": metadata}


def is_autonamed(inputs: Object) -> bool:
    """Whether the name was generated: a replacement then gets another, before the deletion."""
    return section(inputs, "metadata", "annotations").get(_AUTONAMED) == "true"
