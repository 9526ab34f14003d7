"""The work that all sides do: the same objects, for as many demo instances as wanted."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

from tests.bench.model import Object
from tools import engine
from tools.errors import CommandError

DEMOS = ("shared-filesystem", "init-sidecar", "signal", "env-inherit", "resource")
"""The patterns of the instances, in turn: the article's five."""


def configuration(instances: int, **settings: Any) -> Object:
    """A stack's configuration with so many demo instances."""
    keys = [(f"{DEMOS[number % 5]}-{number}", DEMOS[number % 5]) for number in range(instances)]
    own = {"namespace": "bench", "demos": {key: {"demo": demo} for key, demo in keys}, **settings}
    return {f"sidecar-powers:{key}": value for key, value in own.items()}


def rendered(stack: str, config: Object | None = None) -> list[Object]:
    """The objects of a stack, dependencies first, secrets in clear."""
    from tools.render import render

    chosen = engine.stack_config(stack) if config is None else config
    return [item.object for item in render(stack, secrets=True, config=chosen)]


def write(objects: Iterable[Object], file: Path) -> Path:
    """Write objects down for a peer's program."""
    file.write_text(json.dumps(list(objects)))
    return file


def read(stream: str) -> list[Object]:
    """The objects of a YAML stream."""
    loader: Any = yaml.CSafeLoader
    return [item for item in cast(Any, yaml).load_all(stream, loader) if item]


def assert_same(peer: str, ours: Iterable[Object], theirs: Iterable[Object]) -> None:
    """Raise CommandError unless a peer makes the same objects with the same fields."""
    left, right = _by_name(ours), _by_name(theirs)
    different = sorted(
        name for name in left.keys() | right.keys() if left.get(name) != right.get(name)
    )
    if different:
        raise CommandError(f"{peer} does not do the same work: {', '.join(different[:5])} differ")


def _by_name(objects: Iterable[Object]) -> dict[str, str]:
    found = list(objects)
    named: dict[str, str] = {}
    for item in found:
        about = item["metadata"]
        name = f"{item['kind']} {about.get('namespace', '')}/{about['name']}"
        named[name] = json.dumps(item, sort_keys=True)
    assert len(named) == len(found), "two objects have one name"
    return named
