"""Checks on the live cluster that the power of each demo works.

What to check is said beside each pattern (components/checks); this package runs
it. `live` is a pod as the official Kubernetes client sees it, `commands` tries
what the stack prints for looking at a demo, `causes` says why something fails,
`report` shows it all.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from components.checks import SLACK, Check, UnmetError
from stacks.settings import Instance, decoded, encoded, read
from tools import engine, render
from tools.status import Object
from tools.target import Target
from tools.verify.causes import causes
from tools.verify.commands import try_out
from tools.verify.live import Cluster, LivePod

READY = 4 * SLACK
"""Seconds within which the pods of a demo must be ready."""

_AT_ONCE = 32


@dataclass(frozen=True)
class Result:
    """How a check went."""

    demo: str
    """Its key in the stack's file."""

    pod: str
    """Empty where the check is one of the demo as a whole."""

    check: str
    expected: str
    passed: bool
    seen: str
    seconds: float
    causes: list[str] = field(default_factory=list[str])
    """Why it failed, as far as the cluster tells."""


@dataclass(frozen=True)
class _Demo:
    key: str
    instance: Instance
    outputs: Object
    """Of its component."""

    @property
    def namespace(self) -> str:
        return self.outputs["namespace"]

    @property
    def replicas(self) -> int:
        return self.instance.args.get("replicas", 1)


def verify(
    stack: str, config: Mapping[str, Any], target: Target, report: Callable[[Result], None]
) -> list[Result]:
    """Run all checks of a stack's demos side by side; the results in the order of its file.

    `config` is what that file configures. `report` gets each result as it comes, one at a
    time. Raises CommandError where the file is wrong or the cluster does not answer.
    """
    outputs = render.outputs(stack, dict(config))
    demos = [
        _Demo(key, instance, outputs[instance.name])
        for key, instance in read(decoded(encoded(config))).demos.items()
    ]
    cluster = Cluster(target)
    env = {**engine.environment(stack), "KUBECONFIG": target.kubeconfig}
    results: list[Result] = []
    lock = threading.Lock()

    def result(demo: _Demo, pod: str, name: str, expected: str, look: Callable[[], str]) -> bool:
        started = time.monotonic()
        why: list[str] = []
        try:
            seen, passed = look(), True
        except UnmetError as error:
            seen, passed = str(error), False
            why = causes(cluster, demo.outputs, pod, seen)
        except Exception as error:
            # One check's mistake is no reason to lose the others' results.
            seen, passed = f"the check itself fails: {error!r}", False
        seconds = time.monotonic() - started
        found = Result(demo.key, pod, name, expected, passed, seen, seconds, why)
        with lock:
            results.append(found)
            report(found)
        return passed

    def of_pod(demo: _Demo, pod: str, check: Check) -> None:
        def look() -> str:
            return check.look(LivePod(cluster, demo.namespace, pod, check.within))

        result(demo, pod, check.name, check.expected, look)

    def of_demo(demo: _Demo) -> None:
        pods: list[str] = []

        def ready() -> str:
            cluster.workload(demo.outputs)
            pods[:] = cluster.ready_pods(demo.namespace, demo.instance, READY)
            return f"{len(pods)} of {demo.replicas}"

        expected = f"{demo.replicas} of {demo.replicas} pods are ready"
        if not result(demo, "", "ready", expected, ready):
            return
        checks, commands = _checks(demo.instance), demo.outputs["commands"]
        for pod in pods:
            rest.extend(pool.submit(of_pod, demo, pod, check) for check in checks)
        within = max(check.within for check in checks)
        expected = "what the stack prints for looking at it shows something"
        result(demo, "", "printed commands", expected, lambda: try_out(commands, env, within))

    rest: list[Future[None]] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in [pool.submit(of_demo, demo) for demo in demos]:
            future.result()
        for future in rest:
            future.result()
    order = [demo.key for demo in demos]
    return sorted(results, key=lambda item: (order.index(item.demo), item.pod))


def _checks(instance: Instance) -> list[Check]:
    """What is declared beside the pattern; that of no other pattern is imported."""
    module = import_module(f"components.checks.{instance.pattern.replace('-', '_')}")
    return module.checks(instance.args)
