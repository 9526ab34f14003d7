"""The components can be served to programs in other languages."""

import json
from typing import Any, cast

from pulumi.provider.experimental.component import ComponentProvider

from components.pod_labeler import PodLabeler
from components.restricted_namespace import RestrictedNamespace
from tests.unit.patterns import PATTERNS


def test_all_components_have_a_schema_with_described_arguments() -> None:
    components = [*PATTERNS.values(), PodLabeler, RestrictedNamespace]
    provider = ComponentProvider(cast(Any, components), "sidecar-powers")
    resources = json.loads(cast(Any, provider).schema)["resources"]
    assert len(resources) == len(components)
    for component in components:
        schema = resources[f"sidecar-powers:index:{cast(type, component).__name__}"]
        assert schema["isComponent"]
        assert schema["inputProperties"]
        assert schema["properties"]
        assert not schema.get("requiredInputs"), "usable with empty args"
