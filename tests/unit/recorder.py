"""Records what a program registers, without an engine."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import pulumi
from pulumi import runtime
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, rpc, set_mocks
from pulumi.runtime.mocks import MockMonitor

Object = dict[str, Any]


class Registered(list[Object]):
    """The Kubernetes objects that were registered, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[str, Any] = {}
        """What the engine was asked, with all options, by kind and name."""

    def of(self, *kinds: str) -> list[Object]:
        return [item for item in self if item["kind"] in kinds]

    def one(self, kind: str, name: str = "") -> Object:
        found = [item for item in self.of(kind) if name in ("", item["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}: {self.names}"
        return found[0]

    @property
    def names(self) -> list[str]:
        return [_name(item) for item in self]


class _Mocks(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str, Object]:
        inputs: Object = cast(Any, args).inputs
        if args.typ == "pulumi:pulumi:StackReference":
            # Another stack, which gives its own name.
            inputs = {**inputs, "outputs": {"namespace": f"of-{args.name.rpartition('/')[2]}"}}
        return f"{args.name}-id", inputs

    def call(self, args: MockCallArgs) -> Any:
        raise AssertionError(f"a component asked the engine for {args.token}")


class _Recorder(MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.objects = Registered()

    def RegisterResource(self, request: Any) -> Any:
        answer = cast(Any, super()).RegisterResource(request)
        if request.type.startswith("kubernetes:"):
            inputs: Object = cast(Any, rpc).deserialize_properties(request.object)
            self.objects.append(inputs)
            self.objects.requests[_name(inputs)] = request
        return answer


def _name(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def registered(program: Callable[[], object], project: str = "sidecar-powers") -> Registered:
    """Run a program to its end, all registrations landed, and return what it registered."""
    recorder = _Recorder()
    set_mocks(_Mocks(), project=project, stack="unit", preview=False, monitor=recorder)
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
