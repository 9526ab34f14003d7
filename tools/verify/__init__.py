"""Checks on the live cluster that the power of each demo works.

What to check is said beside each pattern (components/checks); this package runs
it. `cluster` is the cluster as the official client sees it, `live` one of its
pods, `patience` the time that there is for it, `commands` tries what the stack
prints for looking at a demo, `causes` says why something fails, `report` shows
it all.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from components.checks import SLACK, Check, UnmetError
from stacks.settings import Instance, decoded, encoded, read
from tools import engine, render
from tools.status import Object, restarts
from tools.target import Target
from tools.verify.causes import causes
from tools.verify.cluster import Cluster
from tools.verify.commands import try_out
from tools.verify.live import LivePod
from tools.verify.patience import Patience

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


def verify(
    stack: str, config: Mapping[str, Any], target: Target, say: Callable[[str], None]
) -> list[Result]:
    """Run all checks of a stack's demos side by side; the results in the order of its file.

    `config` is what that file configures. `say` gets a line for each result as it comes, and
    now and then one that says what is still waited for. Raises CommandError where the file is
    wrong or the cluster does not answer.
    """
    instances = read(decoded(encoded(config))).demos
    outputs = render.outputs(stack, dict(config))
    demos = [_Demo(key, one, outputs[one.name]) for key, one in instances.items()]
    env = {**engine.environment(stack), "KUBECONFIG": target.kubeconfig}
    results = _Run(Cluster(target), env, say).of(demos)
    return sorted(results, key=lambda item: (list(instances).index(item.demo), item.pod))


@dataclass(frozen=True)
class _Demo:
    key: str
    instance: Instance
    outputs: Object
    """Of its component."""


class _Run:
    """Checks on their way, and the results of those that have ended."""

    def __init__(
        self, cluster: Cluster, env: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._cluster, self._env, self._say = cluster, env, say
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._of_pods: list[Future[None]] = []
        self._lock = threading.Lock()
        self._running: list[str] = []
        self._results: list[Result] = []

    def of(self, demos: Sequence[_Demo]) -> list[Result]:
        """The results of all checks."""
        try:
            self._wait([self._pool.submit(self._demo, demo) for demo in demos])
            self._wait(self._of_pods)
        finally:
            # After Ctrl-C nobody waits for what has begun.
            self._cluster.stop.set()
            self._pool.shutdown(cancel_futures=True)
        return self._results

    def _wait(self, futures: Sequence[Future[None]]) -> None:
        while wait(futures, timeout=_BEAT).not_done:
            with self._lock:
                self._say(f"Still: {', '.join(self._running) or 'waiting for a free place'}")
        for future in futures:
            future.result()

    def _demo(self, demo: _Demo) -> None:
        """Whether its pods are ready; if so its other checks."""
        outputs, wanted = demo.outputs, demo.instance.args.get("replicas", 1)
        pods: list[Object] = []

        def ready() -> str:
            patience = Patience(READY, self._cluster.stop)
            pods[:] = self._cluster.ready_pods(outputs, wanted, patience)
            return f"{len(pods)} of {wanted}, {sum(map(restarts, pods))} restarts"

        expected = f"{wanted} of {wanted} pods are ready, all of the newest form"
        if not self._check(demo, "", "ready", expected, ready):
            return
        checks = _checks(demo.instance)
        for pod in pods:
            name = pod["metadata"]["name"]
            self._of_pods += [self._pool.submit(self._pod, demo, name, one) for one in checks]

        def commands() -> str:
            patience = Patience(max(one.within for one in checks), self._cluster.stop)
            return try_out(outputs["commands"], self._env, patience)

        expected = "what the stack prints for looking at it shows something"
        self._check(demo, "", "printed commands", expected, commands)

    def _pod(self, demo: _Demo, name: str, check: Check) -> None:
        def look() -> str:
            pod = LivePod(self._cluster, demo.outputs["namespace"], name, check.within)
            return check.look(pod)

        self._check(demo, name, check.name, check.expected, look)

    def _check(
        self, demo: _Demo, pod: str, name: str, expected: str, look: Callable[[], str]
    ) -> bool:
        """Whether it passes; how it went becomes a result."""
        label, started, why = f"{demo.key} ({name})", time.monotonic(), list[str]()
        with self._lock:
            self._running.append(label)
        try:
            seen, passed = look(), True
        except UnmetError as error:
            seen, passed = str(error), False
        except Exception as error:
            # One check's mistake is no reason to lose the others' results.
            seen, passed = f"the check itself fails: {error!r}", False
        seconds = time.monotonic() - started
        if self._cluster.stop.is_set():
            return False
        if not passed:
            try:
                why = causes(self._cluster, demo.outputs, pod, seen)
            except Exception as error:
                why = [f"the cause can't be told: {error!r}"]
        with self._lock:
            self._running.remove(label)
            result = Result(demo.key, pod, name, expected, passed, seen, seconds, why)
            self._results.append(result)
            self._say(str(result))
        return passed


def _checks(instance: Instance) -> list[Check]:
    """What is declared beside the pattern; that of no other pattern is imported."""
    module = import_module(f"components.checks.{instance.pattern.replace('-', '_')}")
    return module.checks(instance.args)
