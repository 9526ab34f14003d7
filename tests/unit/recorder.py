"""Records what a program registers, without an engine."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import pulumi
from pulumi import runtime
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks

Object = dict[str, Any]


class Registered(list[Object]):
    """The Kubernetes objects that were registered, in order."""

    def of(self, *kinds: str) -> list[Object]:
        return [item for item in self if item["kind"] in kinds]

    def one(self, kind: str, name: str = "") -> Object:
        found = [item for item in self.of(kind) if name in ("", item["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}: {self.names}"
        return found[0]

    @property
    def names(self) -> list[str]:
        return [f"{item['kind']}/{item['metadata']['name']}" for item in self]


class _Recorder(Mocks):
    def __init__(self) -> None:
        self.objects = Registered()

    def new_resource(self, args: MockResourceArgs) -> tuple[str, Object]:
        inputs: Object = cast(Any, args).inputs
        if args.typ.startswith("kubernetes:"):
            self.objects.append(inputs)
        return f"{args.name}-id", inputs

    def call(self, args: MockCallArgs) -> Any:
        raise AssertionError(f"a component asked the engine for {args.token}")


def registered(program: Callable[[], object]) -> Registered:
    """Run a program to its end, all registrations landed, and return what it registered."""
    recorder = _Recorder()
    set_mocks(recorder, project="sidecar-powers", stack="unit", preview=False)
    cast(Any, runtime).test(lambda: _run(program))()
    return recorder.objects


def _run(program: Callable[[], object]) -> None:
    program()


def outputs(component: pulumi.ComponentResource, names: Sequence[str]) -> Object:
    """The values of a component's outputs, by name, filled once the program has run."""
    values: Object = {}
    for name in names:
        output: pulumi.Output[Any] = getattr(component, name)
        output.apply(partial(values.__setitem__, name))
    return values


def pod_of(workload: Object) -> Object:
    """The pod, as metadata and spec, of a Pod or Deployment."""
    return workload if workload["kind"] == "Pod" else workload["spec"]["template"]


def containers(pod: Object) -> dict[str, Object]:
    """All containers of a pod by name, init containers and sidecars included."""
    spec = pod["spec"]
    return {item["name"]: item for item in [*spec.get("initContainers", []), *spec["containers"]]}
