"""A stack's manifests, without CLI, plugin, cluster or network.

Runs the project's own program in this process against Pulumi's mock monitor,
and writes down what it registers.
https://www.pulumi.com/docs/iac/concepts/testing/unit/
"""

import runpy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pulumi
import yaml
from google.protobuf.json_format import MessageToDict
from pulumi import runtime
from pulumi.runtime.mocks import MockMonitor

from stacks.settings import encoded
from tools import engine, paths
from tools.errors import CommandError

Object = dict[str, Any]

REDACTED = "[secret]"
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi marks a secret on the wire."""


@dataclass(frozen=True)
class Rendered:
    """An object, and how many steps of dependencies come before it."""

    object: Object
    depth: int
    urn: str = ""
    """The last parts of its URN, which are the same in every stack: types of its parents and its
    own, and the name that the program gives it."""
    options: Object = field(default_factory=dict[str, Any])
    """What Pulumi alone is told: how to replace it, what to ignore, how long to wait."""

    @property
    def file(self) -> str:
        """A name that sorts after those of what it depends on."""
        kind, name = self.object["kind"].lower(), self.object["metadata"]["name"]
        return f"{self.depth:02}-{kind}-{name}.yaml"


class _Monitor(MockMonitor):
    """Keeps what is registered, by URN, what each depends on, and what components put out."""

    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.objects: dict[str, Object] = {}
        self.dependencies: dict[str, list[str]] = {}
        self.outputs: dict[str, Object] = {}
        self.options: dict[str, Object] = {}
        self.types: dict[str, str] = {}
        """The type of each with those of all its parents; the mock's URN has only the last."""

    def RegisterResource(self, request: Any) -> Any:
        answer = cast(Any, super()).RegisterResource(request)
        # A child comes after all that its parent depends on.
        self.dependencies[answer.urn] = [*request.dependencies, request.parent]
        before = self.types.get(request.parent)
        if request.type != "pulumi:pulumi:Stack":
            self.types[answer.urn] = f"{before}${request.type}" if before else request.type
        if request.type.startswith("kubernetes:"):
            self.objects[answer.urn] = MessageToDict(request.object)
            self.options[answer.urn] = _options(request)
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:
        self.outputs[request.urn.rpartition("::")[2]] = MessageToDict(request.outputs)
        return cast(Any, super()).RegisterResourceOutputs(request)


class _Mocks(runtime.Mocks):
    """Every resource is what it was declared to be; nothing can be asked."""

    def new_resource(self, args: runtime.MockResourceArgs) -> Any:
        return f"{args.name}-id", cast(Any, args).inputs

    def call(self, args: runtime.MockCallArgs) -> Any:
        raise CommandError(f"{args.token} needs an engine: it can't be rendered.")


def program() -> None:
    """The project's own program."""
    runpy.run_path(str(paths.ROOT), run_name="__main__")


def render(
    stack: str,
    secrets: bool = False,
    config: Object | None = None,
    program: Callable[[], None] = program,
) -> list[Rendered]:
    """The objects of a stack, dependencies first, secrets readable only if asked for.

    `config` is what the stack's file configures, which is read if it is not given; `program`
    registers them. Raises CommandError where the configuration is wrong.
    """
    monitor = _run(stack, engine.stack_config(stack) if config is None else config, program)
    depths = _depths(monitor)
    found = [
        Rendered(
            _plain(item, secrets),
            depths[urn],
            f"{monitor.types[urn]}::{urn.rpartition('::')[2]}",
            monitor.options[urn],
        )
        for urn, item in monitor.objects.items()
    ]
    return sorted(found, key=lambda item: item.file)


def outputs(stack: str, config: Object) -> dict[str, Object]:
    """The outputs of a stack's components, by their names.

    Raises CommandError where its configuration is wrong.
    """
    return _run(stack, config, program).outputs


def _run(stack: str, config: Object, program: Callable[[], None]) -> _Monitor:
    """The monitor with which a program has run."""
    monitor = _Monitor()
    runtime.set_mocks(
        cast(Any, monitor).mocks,
        project="sidecar-powers",
        stack=stack,
        preview=False,
        monitor=monitor,
    )
    runtime.set_all_config(encoded(config))
    try:
        cast(Any, runtime).test(lambda: program())()
    except pulumi.RunError as error:
        raise CommandError(str(error)) from None
    return monitor


def _depths(monitor: _Monitor) -> dict[str, int]:
    """How many objects come before each, one after another."""
    depths: dict[str, int] = {}

    def depth(urn: str) -> int:
        if urn not in depths:
            before = monitor.dependencies.get(urn, [])
            steps = (depth(other) + (other in monitor.objects) for other in before)
            depths[urn] = max(steps, default=0)
        return depths[urn]

    return {urn: depth(urn) for urn in monitor.objects}


def _options(request: Any) -> Object:
    """The resource options that change what an update does, those that are set."""
    timeouts = {
        verb: getattr(request.customTimeouts, verb) for verb in ("create", "update", "delete")
    }
    options: Object = {
        "customTimeouts": {verb: text for verb, text in timeouts.items() if text},
        "deleteBeforeReplace": request.deleteBeforeReplace,
        "ignoreChanges": list(request.ignoreChanges),
        "protect": request.protect,
        "replaceOnChanges": list(request.replaceOnChanges),
        "retainOnDelete": request.retainOnDelete,
    }
    return {name: value for name, value in options.items() if value}


def _plain(item: Object, secrets: bool) -> Object:
    """An object as Kubernetes would show it."""
    if item["kind"] != "Secret" or secrets:
        return _value(item, secrets)
    # Its keys are no secret, and tell what it is.
    plain: Object = _value(item, True)
    for part in {"data", "stringData"} & plain.keys():
        plain[part] = dict.fromkeys(plain[part], REDACTED)
    return plain


def _value(value: Any, secrets: bool) -> Any:
    if isinstance(value, dict):
        mapping = cast(Object, value)
        if mapping.get(_SIGNATURE) == _SECRET:
            return _value(mapping["value"], secrets) if secrets else REDACTED
        return {key: _value(mapping[key], secrets) for key in sorted(mapping)}
    if isinstance(value, list):
        return [_value(item, secrets) for item in cast(list[Any], value)]
    # On the wire all numbers are floating.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines as blocks, so that scripts can be read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return cast(Any, dumper).represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(item: Object) -> str:
    """An object as YAML, keys in the order in which Kubernetes shows them."""
    return yaml.dump(item, Dumper=_Dumper, width=100)


def write(found: Iterable[Rendered], stack: str, folder: Path) -> None:
    """Write a file an object, and remove those of objects that are no more."""
    mark = f"# Rendered from stack {stack}\n"
    folder.mkdir(parents=True, exist_ok=True)
    files = {item.file: mark + to_yaml(item.object) for item in found}
    for name, text in files.items():
        (folder / name).write_text(text)
    for file in folder.glob("*.yaml"):
        # Others' files stay.
        if file.is_file() and file.name not in files and file.read_text().startswith(mark):
            file.unlink()
