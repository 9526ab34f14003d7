"""A report as JSON for machines, with keys and quantities as Kubernetes spells them."""

import json
from dataclasses import asdict
from typing import Any

from pydantic.alias_generators import to_camel

from components.usage import texts
from tools.report.model import Report


def show(report: Report) -> str:
    """All of it."""
    return json.dumps(asdict(report, dict_factory=_object), indent=2)


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        to_camel(name): texts(value) if name in ("usage", "totals") else value
        for name, value in fields
    }
