"""The components can be served to programs in other languages."""

import json
from typing import Any, cast

from pulumi.provider.experimental.component import ComponentProvider
from pydantic.alias_generators import to_camel

from components import plugin
from components.pod_labeler import PodLabeler
from components.pod_resizer import PodResizer
from components.restricted_namespace import RestrictedNamespace
from components.workload import WorkloadArgs
from tests.unit.patterns import PATTERNS, REQUIRED

COMPONENTS = [*PATTERNS.values(), PodLabeler, RestrictedNamespace, PodResizer]


def schema() -> dict[str, Any]:
    """The resources of the package that the plugin serves."""
    provider = ComponentProvider(plugin.COMPONENTS, "sidecar-powers")
    return json.loads(cast(Any, provider).schema)["resources"]


def test_all_components_have_a_schema_and_need_no_argument_but_secrets_and_their_like() -> None:
    resources = schema()
    tokens = [f"sidecar-powers:index:{cast(type, item).__name__}" for item in COMPONENTS]
    assert set(resources) == set(tokens)
    needed = dict(zip(tokens, (REQUIRED.get(pattern, {}) for pattern in PATTERNS), strict=False))
    for token, resource in resources.items():
        assert resource["isComponent"]
        assert resource["description"]
        assert resource["properties"]
        assert resource.get("requiredInputs", []) == [
            to_camel(name) for name in needed.get(token, {})
        ]


def test_every_argument_of_a_components_own_is_described() -> None:
    # The SDK finds no docstrings of inherited arguments.
    inherited = {"namespace", "workload", "replicas", "sidecars", "images", "resources"}
    inherited |= {"defaultResources", "timeoutSeconds"}
    assert len(inherited) == len(WorkloadArgs.__annotations__)
    for resource in schema().values():
        for name, argument in resource["inputProperties"].items():
            assert name in inherited or argument["description"], name
