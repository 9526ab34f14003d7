"""What is measured of pods: how fast they start and follow a change, what they take idle."""

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

from components.parts import once
from components.workload import PodTemplate, pod_spec
from tests.bench.environment import kubectl
from tests.bench.model import Measure, Object
from tests.bench.process import RUNS
from tests.cluster.faults import within
from tests.cluster.project import Cluster, Project, is_ready
from tests.cluster.reloads import DEMO, directives, watched
from tools import engine, paths

GROUP = "Run"
CHANGES = 200
IDLE_MINUTES = 10
"""The slowest sidecar of the local stack looks around once a minute: one time more or less that
falls into it is a tenth."""
PUBLISHED = {"mCPU": 10.0, "MiB": 50.0}
"""What the Prometheus operator asks for its config-reloader by default.
https://github.com/prometheus-operator/prometheus-operator/blob/main/cmd/operator/main.go"""


def measures(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """Start pods, change a file, look at what idles."""
    cluster = Cluster()
    say("pods with more and more sidecars")
    yield from _starts(cluster)
    say("a file that changes")
    yield from _changes(folder, cluster)
    say("idle sidecars")
    yield from _idle(folder, cluster)


def _starts(cluster: Cluster) -> Iterator[Measure]:
    namespace = f"bench-{secrets.token_hex(3)}"
    cluster.core.create_namespace({"metadata": {"name": namespace}})
    counts = (0, 1, 2, 3)
    taken: dict[int, list[float]] = {count: [] for count in counts}
    try:
        for run in range(RUNS + 1):
            for count in counts:
                seconds = _ready(cluster, namespace, count)
                if run:
                    taken[count].append(seconds)
    finally:
        cluster.core.delete_namespace(namespace)
    for count in counts[1:]:
        yield Measure(
            group=GROUP,
            name=f"pod with {count} native sidecar{'s' * (count > 1)} until Ready",
            peer=f"the same pod without, and {2 * count} s",
            ours=taken[count],
            theirs=[seconds + 2 * count for seconds in taken[0]],
            aim=1.0,
        )


def _ready(cluster: Cluster, namespace: str, count: int) -> float:
    """Seconds until a pod with so many native sidecars is ready."""
    mount = {"name": "shared", "mountPath": "/shared"}
    names = [f"sidecar-{number}" for number in range(count)]
    template = PodTemplate(
        app={"name": "main-app", "image": "shell", "command": _WAITS},
        sidecars=[
            {
                "name": name,
                "image": "shell",
                "command": ["/bin/sh", "-c", f": >/shared/{name}; {_WAITS[2]}"],
                "startupProbe": once(f"/shared/{name}"),
                "volumeMounts": [mount],
            }
            for name in names
        ],
        volumes=[{"name": "shared", "emptyDir": {"sizeLimit": "1Mi"}}],
    )
    spec = _spec(template)
    name = f"start-{count}-{secrets.token_hex(3)}"
    started = time.monotonic()
    cluster.core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})
    while not is_ready(cluster.core.read_namespaced_pod(name, namespace)):
        assert time.monotonic() < started + 120, name
        time.sleep(0.05)
    taken = time.monotonic() - started
    cluster.core.delete_namespaced_pod(name, namespace)
    within(60, lambda: not cluster.core.list_namespaced_pod(namespace).items)
    return taken


def _spec(template: PodTemplate) -> Object:
    images: Mapping[str, Any] = engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]
    return pod_spec(template, {"images": images["images"]})


_WAITS = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 60 & wait $!; done"]


def _changes(folder: Path, cluster: Cluster) -> Iterator[Measure]:
    (folder / "reload").mkdir()
    project = Project(folder / "reload")
    with watched(cluster, project) as found:
        times = [found.time(f"change {number}") for number in range(CHANGES)]
    synced = _synced(folder, cluster)
    cuts = quantiles(times, n=100)
    what = f"file changed until served, {CHANGES} changes"
    for name, cut in (("p50", cuts[49]), ("p99", cuts[98])):
        yield Measure(
            group=GROUP,
            name=f"{what}, {name}",
            peer="the kubelet's sync of a ConfigMap",
            ours=[cut],
            theirs=[sorted(synced)[len(synced) // 2]],
            aim=0.02,
        )
    yield Measure(
        group=GROUP, name=f"{what}, p99", peer="a second", ours=[cuts[98]], theirs=[1.0], aim=1.0
    )


def _synced(folder: Path, cluster: Cluster) -> list[float]:
    """Seconds from a changed ConfigMap until a pod that runs is served it, by the kubelet alone."""
    (folder / "sync").mkdir()
    project = Project(folder / "sync")
    project.configure(demos={DEMO: {"directives": directives("0")}})
    project.up()
    taken: list[float] = []
    try:
        for number in range(1, RUNS + 1):
            text = directives(f"sync {number}")

            def arrived(text: str = text) -> bool:
                command = "cat /etc/nginx/source/server.conf"
                where = project.namespace, DEMO, "config-reloader"
                return cluster.run(*where, command) == text

            body = {"data": {"server.conf": text}}
            started = time.monotonic()
            cluster.core.patch_namespaced_config_map("hot-reload-demo", project.namespace, body)
            within(200, arrived)
            taken.append(time.monotonic() - started)
    finally:
        project.destroy()
    return taken


def _held(name: str, unit: Literal["mCPU", "MiB"], used: float, aim: float) -> Measure:
    return Measure(
        group="Idle",
        name=f"{name}, {'CPU' if unit == 'mCPU' else 'memory'}",
        peer="prometheus-config-reloader, as published",
        unit=unit,
        ours=[used],
        theirs=[PUBLISHED[unit]],
        aim=aim,
    )


_BUSY = {"main-app", "load-generator"}
"""Containers that are no idle sidecars: the apps, and what makes load on purpose."""


def _idle(folder: Path, cluster: Cluster) -> Iterator[Measure]:
    """All demos of the local stack at rest, as the kubelet's statistics see each sidecar.

    They have been up before: what is read of an image for the first time since the node started
    is counted to the container that happens to come first.
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#shared-page-accounting
    """
    (folder / "idle").mkdir()
    project = Project(folder / "idle")
    try:
        project.up()
        project.destroy()
        project.up()
        _interpreter(cluster, project.namespace)
        seen: list[dict[str, tuple[int, datetime, int]]] = []
        for _ in range(1 + IDLE_MINUTES):
            time.sleep(60)
            seen.append(_statistics(project.namespace))
    finally:
        project.destroy()
    for name in sorted(seen[0]):
        if name.rpartition("/")[2] in _BUSY:
            continue
        (began, start, _), (ended, end, _) = seen[0][name], seen[-1][name]
        used = (ended - began) / 1e6 / (end - start).total_seconds()
        yield _held(name, "mCPU", used, 0.1)
        yield _held(name, "MiB", median(one[name][2] for one in seen) / 2**20, 0.08)


def _interpreter(cluster: Cluster, namespace: str) -> None:
    """A pod whose Python has imported nothing from a file: what any program in Python keeps."""
    app = {
        "name": "interpreter",
        "image": "python",
        "command": ["python3", "-I", "-S", "-c", _IDLE],
    }
    spec = _spec(PodTemplate(app=app, sidecars=[]))
    body = {"metadata": {"name": "python3-demo"}, "spec": spec}
    cluster.core.create_namespaced_pod(namespace, body)


_IDLE = """import _signal, time
_signal.signal(_signal.SIGTERM, _signal.default_int_handler)
time.sleep(1e6)
"""


def _statistics(namespace: str) -> dict[str, tuple[int, datetime, int]]:
    """CPU time in ns, when, and the working set in bytes, by demo and container."""
    words = [kubectl(), "--kubeconfig", str(paths.KUBECONFIG), "get"]

    def said(*more: str) -> str:
        return subprocess.run([*words, *more], capture_output=True, text=True, check=True).stdout

    node = said("nodes", "--output", "jsonpath={.items[0].metadata.name}")
    summary: Object = json.loads(said("--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    return {
        f"{pod['podRef']['name'].rsplit('-demo', 1)[0]}/{item['name']}": (
            item["cpu"].get("usageCoreNanoSeconds", 0),
            datetime.fromisoformat(item["cpu"]["time"]),
            item["memory"].get("workingSetBytes", 0),
        )
        for pod in summary["pods"]
        if pod["podRef"]["namespace"] == namespace
        for item in pod["containers"]
    }
