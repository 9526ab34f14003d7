"""Reads a live object as inputs: what the program declared, with the values it has now.

Fields that the program does not declare belong to the API server or to somebody else, and no
`up` should touch them; so they are left out. A declared field that was edited shows its new value,
one that was removed is missing, and the engine sees both as changes to repair.
"""

import base64
from typing import Any

from tools.provider.quantities import same_amount
from tools.status import Object, is_list, is_map, section

_ITEM_KEYS = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists whose items the API server tells apart by this key, so that others may add items:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy."""

_OTHERS_APPEND = {"tolerations"}
"""Lists without such a key to which admission appends."""

_SERVER_FIELDS = {
    *("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation"),
    *("managedFields", "resourceVersion", "selfLink", "uid"),
}


def declared_part(live: Object, inputs: Object) -> Object:
    """The live object, restricted to the fields that the inputs declare."""
    part = _part(live, inputs, "", "")
    if inputs.get("kind") == "Secret" and "stringData" in inputs:
        part["stringData"] = _decoded(section(live, "data"), inputs["stringData"])
    return part


def all_inputs(live: Object) -> Object:
    """What a program would declare to get this object: for one that the state knows nothing of."""
    part = {key: value for key, value in live.items() if key != "status"}
    part["metadata"] = {
        key: value for key, value in live["metadata"].items() if key not in _SERVER_FIELDS
    }
    return part


def _part(live: Any, declared: Any, key: str, parent: str) -> Any:
    if is_map(declared) and is_map(live):
        # The API server drops empty values: `hostNetwork: false`, `args: []`, an env value of "".
        return {
            name: _part(live[name], value, name, key) if name in live else value
            for name, value in declared.items()
            if name in live or not value
        }
    if is_list(declared) and is_list(live):
        return _list_part(live, declared, key)
    return declared if same_amount(live, declared, key, parent) else live


def _list_part(live: list[Any], declared: list[Any], key: str) -> list[Any]:
    by = _ITEM_KEYS.get(key)
    if key == "ports" and all(is_map(item) and "containerPort" in item for item in live):
        by = "containerPort"
    if by is not None:
        found = {item.get(by): item for item in live}
        return [
            _part(found[item.get(by)], item, "", key) for item in declared if item.get(by) in found
        ]
    part = [_part(*pair, "", key) for pair in zip(live, declared, strict=False)]
    return part if key in _OTHERS_APPEND else part + live[len(declared) :]


def _decoded(data: Object, string_data: Object) -> Object:
    """`stringData` is write-only: its live values stand, encoded, in `data`."""
    return {
        key: base64.b64decode(data[key]).decode("utf-8", "replace")
        for key in string_data
        if key in data
    }
