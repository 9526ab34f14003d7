"""Checks on the live cluster that the power of each demo works.

What to check is said beside each pattern (components/checks); this package runs
it. `live` is a pod as the official Kubernetes client sees it, `commands` tries
what the stack prints for looking at a demo, `causes` says why something fails,
`report` shows it all.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
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
from tools.verify.live import Cluster, LivePod, Patience

READY = 4 * SLACK
"""Seconds within which the pods of a demo must be ready."""

_AT_ONCE = 32

_BEAT = 15
"""Seconds after which somebody who waits is told what for."""


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

    def __str__(self) -> str:
        mark = "ok    " if self.passed else "FAILED"
        return f"{mark} {self.demo}: {self.check} ({self.seconds:.1f} s)"


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
    stack: str, config: Mapping[str, Any], target: Target, say: Callable[[str], None]
) -> list[Result]:
    """Run all checks of a stack's demos side by side; the results in the order of its file.

    `config` is what that file configures. `say` gets a line for each result as it comes, and
    now and then one that says what is still waited for. Raises CommandError where the file is
    wrong or the cluster does not answer.
    """
    outputs = render.outputs(stack, dict(config))
    demos = [
        _Demo(key, instance, outputs[instance.name])
        for key, instance in read(decoded(encoded(config))).demos.items()
    ]
    cluster = Cluster(target)
    env = {**engine.environment(stack), "KUBECONFIG": target.kubeconfig}
    results: list[Result] = []
    running: list[tuple[str, str]] = []
    lock = threading.Lock()

    def result(demo: _Demo, pod: str, name: str, expected: str, look: Callable[[], str]) -> bool:
        started = time.monotonic()
        why: list[str] = []
        with lock:
            running.append((demo.key, name))
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
            running.remove((demo.key, name))
            results.append(found)
            say(str(found))
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

        def commands_show() -> str:
            return try_out(commands, env, Patience(max(one.within for one in checks), cluster.stop))

        expected = "what the stack prints for looking at it shows something"
        result(demo, "", "printed commands", expected, commands_show)

    rest: list[Future[None]] = []
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for futures in ([pool.submit(of_demo, demo) for demo in demos], rest):
            while wait(futures, timeout=_BEAT).not_done:
                with lock:
                    say(f"Still: {', '.join(f'{demo} ({name})' for demo, name in running)}")
            for future in futures:
                future.result()
    finally:
        # After Ctrl-C nobody waits for what has begun.
        cluster.stop.set()
        pool.shutdown(cancel_futures=True)
    order = [demo.key for demo in demos]
    return sorted(results, key=lambda item: (order.index(item.demo), item.pod))


def _checks(instance: Instance) -> list[Check]:
    """What is declared beside the pattern; that of no other pattern is imported."""
    module = import_module(f"components.checks.{instance.pattern.replace('-', '_')}")
    return module.checks(instance.args)
