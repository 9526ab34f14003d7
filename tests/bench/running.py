"""What is measured of pods: how fast they start and follow a change, what they take idle."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles
from threading import Event
from typing import Any, Literal

from components.parts import once
from components.workload import PodTemplate, pod_spec
from tests.bench.environment import processor
from tests.bench.model import Measure, Object
from tests.bench.process import RUNS, in_turn, stolen
from tests.cluster.faults import ctr, processes, root, within
from tests.cluster.project import Cluster, Project, is_ready
from tests.cluster.reloads import watched
from tools import engine

GROUP = "Run"
CHANGES = 200
_SYNCED = 40
"""Pods with a ConfigMap that changes `CHANGES` times."""
_EVERY_S = 24
"""Seconds between looks at what idles: no multiple of 5 or 10, the periods of those that start
processes, or they would see the same moment of them each time."""
_SPAN = 5
"""Looks from one to the next after two minutes: whole periods of each sidecar of the local stack.
The slowest looks around once a minute, and the resizer's app is busy every other one."""
_SPANS = 5
"""Spans that count, of at most twice as many."""
_CALM = 1.1
"""What a reference may take in one that counts, of the least that it took in any."""
_COPIES = 4
"""Of each idle demo: what is done once a minute takes more or less by chance."""
_APART_S = 75
"""Seconds between them, so that their rounds are spread over the minute: what else happens in a
certain second of it would be in each round of all that have started together."""
PUBLISHED = {"mCPU": 10.0, "MiB": 50.0}
"""What the Prometheus operator asks for its config-reloader by default.
https://github.com/prometheus-operator/prometheus-operator/blob/main/cmd/operator/main.go"""


def measures(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """Start pods, change a file."""
    cluster = Cluster()
    say("pods with more and more sidecars")
    yield from _starts(cluster)
    say("a file that changes")
    yield from _changes(folder, cluster)


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
    return pod_spec(template, {"images": _images()})


def _images() -> Any:
    """Those of the local stack, by what they are for."""
    return engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]["images"]


_WAITS = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 60 & wait $!; done"]


@dataclass(frozen=True)
class _Changes:
    """What so many changes took."""

    wall: float
    stolen: float
    percentiles: list[float]
    """Seconds until nothing but a change was served: p1 to p99."""


def _changed(change: Callable[[str], float]) -> _Changes:
    began, taken = time.monotonic(), processor()[1]
    percentiles = quantiles((change(f"{began} {number}") for number in range(CHANGES)), n=100)
    return _Changes(time.monotonic() - began, processor()[1] - taken, percentiles)


def _changes(folder: Path, cluster: Cluster) -> Iterator[Measure]:
    (folder / "reload").mkdir()
    project = Project(folder / "reload")
    ended = Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            # It waits for the kubelet, and does next to nothing itself.
            synced = pool.submit(_synced, Cluster(), ended)
            with watched(cluster, project) as found:
                (ours,) = in_turn(lambda: _changed(found.time))
            theirs = quantiles(synced.result(), n=100)
        finally:
            ended.set()
    what = f"file changed until nothing old is served, {CHANGES} changes"
    for percent in (50, 99):
        yield Measure(
            group=GROUP,
            name=f"{what}, p{percent}",
            peer="the kubelet's sync of a ConfigMap, as many",
            ours=[run.percentiles[percent - 1] for run in ours],
            theirs=[theirs[percent - 1]],
            aim=0.02,
            stolen=stolen(ours, ours),
        )
    yield Measure(
        group=GROUP,
        name=f"{what}, p99",
        peer="a second",
        ours=[run.percentiles[98] for run in ours],
        theirs=[1.0],
        aim=1.0,
        stolen=stolen(ours, ours),
    )


def _synced(cluster: Cluster, ended: Event) -> list[float]:
    """Seconds from each change of a ConfigMap until a pod that runs is served it or a later one, by
    the kubelet alone, of all pods.

    The kubelet looks after each pod by itself, every 60 to 90 s: the pods start as far apart as
    that, and changes come every other second, so that one comes at any moment of it. It stops early
    once nobody waits for it.
    """
    name = f"bench-{secrets.token_hex(3)}"
    mount = {"name": "source", "mountPath": "/source", "readOnly": True}
    app = {"name": "main-app", "image": "shell", "command": _WAITS, "volumeMounts": [mount]}
    volume = {"name": "source", "configMap": {"name": "source"}}
    spec = _spec(PodTemplate(app=app, sidecars=[], volumes=[volume]))
    cluster.core.create_namespace({"metadata": {"name": name}})
    taken: list[float] = []
    try:
        made = {"metadata": {"name": "source"}, "data": {"text": ""}}
        cluster.core.create_namespaced_config_map(name, made)
        for number in range(_SYNCED):
            body = {"metadata": {"name": f"sync-{number}"}, "spec": spec}
            cluster.core.create_namespaced_pod(name, body)
            if ended.wait(90 / _SYNCED):
                return taken
        within(60, lambda: all(map(is_ready, cluster.pods(name))))
        held = {root(processes(pod)["main-app"]) / "source/text": 0 for pod in cluster.pods(name)}
        # When each change was made: of the n-th, n is the text.
        made_at = [time.monotonic()]
        while len(made_at) <= CHANGES or min(held.values()) < CHANGES:
            if len(made_at) <= CHANGES and time.monotonic() >= made_at[0] + 2 * len(made_at):
                change = {"data": {"text": str(len(made_at))}}
                made_at.append(time.monotonic())
                cluster.core.patch_namespaced_config_map("source", name, change)
            for file, before in held.items():
                held[file] = served = _number(file) or before
                taken += [time.monotonic() - at for at in made_at[before + 1 : served + 1]]
            assert time.monotonic() < made_at[-1] + 200, held
            if ended.wait(0.5):
                return taken
    finally:
        cluster.core.delete_namespace(name)
    return taken


def _number(file: Path) -> int:
    """Which change it holds; 0 if none, or none just now."""
    try:
        return int(file.read_text() or 0)
    except FileNotFoundError:
        # Just when the kubelet removes what it has replaced.
        return 0


def _held(
    name: str, unit: Literal["mCPU", "MiB"], used: float, aim: float, reference: float | None = None
) -> Measure:
    return Measure(
        group="Idle",
        name=f"{name}, {'CPU' if unit == 'mCPU' else 'memory'}",
        peer="prometheus-config-reloader, as published",
        unit=unit,
        ours=[used],
        theirs=[PUBLISHED[unit]],
        aim=aim,
        reference=reference,
    )


@dataclass(frozen=True)
class _Reference:
    """A program that always does the same beside the sidecars, and that says what processor time
    is worth meanwhile.

    What wakes now and then takes up to half as much again of it for minutes, and less of it while a
    loop that never sleeps takes more: what a processor has lost in between depends on what its host
    does for others. So it's a program that wakes as they do. What starts processes and what is
    woken don't follow each other either: there is one for both.
    """

    command: list[str]
    usual: float
    """Thousandths of a processor, of the one that processor time is told of."""


_EVERY_5_S = """import json, os, re, signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
time.sleep(float(sys.argv[1]))
while True:
    json.loads(json.dumps({"a": [1, 2, 3], "b": {"c": "x" * 50}}))
    re.sub("([a-z])=([a-z])", "1", "a=b c=d " * 20)
    os.listdir("/proc/self/fd")
    sorted(map(str, range(100)))
    time.sleep(5)
"""
_PROCESS_EVERY_5_S = """trap 'exit 0' TERM
sleep "$1"
while :; do
    cat /proc/stat >/dev/null
    sleep 5 &
    wait $!
done
"""
_REFERENCES = {
    "python": _Reference(["python3", "-I", "-c", _EVERY_5_S], 0.05),
    "shell": _Reference(["/bin/sh", "-c", _PROCESS_EVERY_5_S, "sh"], 0.45),
}
"""By image: sidecars in Python's are held against the one in it, all else starts processes. The
interpreters are the sidecars' own, so a slower one is seen in what was taken, not in the ratio."""


_ROUNDS_S = 60
"""Seconds within which each sidecar has looked around more than once."""
_BUSY = {"main-app", "load-generator"}
"""Containers that are no idle sidecars: the apps, and what makes load on purpose."""
_LOADED = {"resource", "resize"}
"""Demos that make load on purpose."""


def idle(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """All demos of the local stack at rest, as the kernel counts what each sidecar takes."""
    cluster, project = Cluster(), Project(folder)
    demos: Object = project.config["sidecar-powers:demos"]
    copies: Object = {}
    started = time.monotonic()
    try:
        for number in range(_COPIES):
            time.sleep(max(0, started + number * _APART_S - time.monotonic()))
            say(f"idle sidecars, copy {number + 1} of {_COPIES}")
            copies |= {
                f"{key}-{number}": {"demo": key, **settings}
                for key, settings in demos.items()
                if number == 0 or key not in _LOADED
            }
            project.configure(demos=copies)
            project.up()
        _beside(cluster, project.namespace)
        time.sleep(_ROUNDS_S)
        say("idle sidecars, all there")
        idlers = _idlers(cluster, project.namespace)
        found, calm = looks(idlers)
    finally:
        project.destroy()
    say(f"idle sidecars, {len(calm)} spans of two minutes that count")
    used = {
        name: fmean(rate(copy, span) for copy in seen for span in calm)
        for name, seen in found.items()
    }
    for name, seen in sorted(found.items()):
        if name in _REFERENCES:
            continue
        kind = idlers[name].kind
        yield _held(name, "mCPU", used[name], 0.1, used[kind] / _REFERENCES[kind].usual)
        memory = fmean(moment.memory for copy in seen for moment in copy)
        yield _held(name, "MiB", memory / 2**20, 0.08)


@dataclass(frozen=True)
class Look:
    """What a container has had and holds."""

    at: float
    """Seconds."""
    cpu: int
    """Nanoseconds of processor that the container has had so far."""
    memory: int
    """Bytes that only giving up the container would free: what its processes have written, what
    the kernel keeps for them, and its files in memory. The pages of other files are the node's:
    who reads one first has it counted, whoever else reads it."""


def rate(seen: Sequence[Look], span: int) -> float:
    """Thousandths of a processor in a span."""
    first, last = (seen[number * _SPAN] for number in (span, span + 1))
    return (last.cpu - first.cpu) / 1e6 / (last.at - first.at)


@dataclass(frozen=True)
class Idler:
    """A container and its copies."""

    kind: str
    """Which of the references it is held against."""
    ids: list[str]
    """Of containerd's."""


def _idlers(cluster: Cluster, namespace: str) -> dict[str, Idler]:
    """The containers to be looked at, by demo and name; the references by their kind."""
    found: dict[str, Idler] = {}
    python = _images()["python"]
    for pod in cluster.core.list_namespaced_pod(namespace).items:
        demo = pod.metadata.name.rsplit("-demo", 1)[0].rpartition("-")[0]
        containers: list[Any] = [*(pod.spec.init_containers or []), *pod.spec.containers]
        images = {container.name: container.image for container in containers}
        for name, process in processes(pod).items():
            if name in _BUSY:
                continue
            kind = "python" if images[name] == python else "shell"
            key = kind if name == _BESIDE else f"{demo}/{name}"
            found.setdefault(key, Idler(kind, [])).ids.append(process.container)
    return found


Looks = Mapping[str, Sequence[Sequence[Look]]]
"""What is seen of each copy of a container."""


def looks(idlers: Mapping[str, Idler]) -> tuple[Looks, list[int]]:
    """What is seen of each copy of a container, and the spans that count."""
    found: dict[str, list[list[Look]]] = {
        name: [[] for _ in idler.ids] for name, idler in idlers.items()
    }
    calm: list[int] = []
    start = time.monotonic()
    for number in range(2 * _SPANS * _SPAN + 1):
        time.sleep(max(0, start + number * _EVERY_S - time.monotonic()))
        for name, idler in idlers.items():
            for seen, container in zip(found[name], idler.ids, strict=True):
                seen.append(look(container))
        spans, rest = divmod(number, _SPAN)
        if spans and not rest:
            calm = _calm({kind: found[kind] for kind in _REFERENCES}, spans)
            if len(calm) >= _SPANS:
                break
    return found, calm


def _calm(references: Looks, spans: int) -> list[int]:
    """Those of so many spans in which no reference took much more than in its best one."""
    taken = [
        [fmean(rate(copy, span) for copy in copies) for span in range(spans)]
        for copies in references.values()
    ]
    return [span for span in range(spans) if all(each[span] <= _CALM * min(each) for each in taken)]


def look(container: str) -> Look:
    """At a container of the node, by containerd's ID."""
    # The kubelet has the same figures, but of a moment in the last ten seconds and more.
    told: Object = json.loads(ctr("tasks", "metrics", "--format", "json", container))
    at, cpu, memory = time.monotonic(), told["cpu"], told["memory"]
    if "usage_usec" in cpu:  # cgroup v2
        pages = sum(memory.get(name, 0) for name in ("active_file", "inactive_file"))
        return Look(at, cpu["usage_usec"] * 1000, memory["usage"] - pages)
    # Not its `usage`, in which each processor has up to a quarter of a MiB in reserve.
    # https://docs.kernel.org/admin-guide/cgroup-v1/memory.html#usage-in-bytes
    held: int = memory.get("total_rss", 0) + memory.get("total_cache", 0)
    held += memory["kernel"].get("usage", 0)
    pages = sum(memory.get(f"total_{name}", 0) for name in ("active_file", "inactive_file"))
    return Look(at, cpu["usage"]["total"], held - pages)


_BESIDE = "reference"
"""Container of a program that is held against, and no sidecar."""


def _beside(cluster: Cluster, namespace: str) -> None:
    """What is looked at beside the demos: the references, and an interpreter that has imported
    nothing from a file, for what any program in Python keeps."""
    _start(cluster, namespace, "python3-0-demo", "interpreter", "python", _INTERPRETER)
    for image, reference in _REFERENCES.items():
        for number in range(_COPIES):
            # Not all at once.
            command = [*reference.command, str(number * 5 / _COPIES)]
            _start(cluster, namespace, f"{_BESIDE}-{image}-{number}", _BESIDE, image, command)


def _start(
    cluster: Cluster, namespace: str, pod: str, container: str, image: str, command: list[str]
) -> None:
    """A pod with one container."""
    app = {"name": container, "image": image, "command": command}
    spec = _spec(PodTemplate(app=app, sidecars=[]))
    cluster.core.create_namespaced_pod(namespace, {"metadata": {"name": pod}, "spec": spec})


_IDLE = """import _signal, time
_signal.signal(_signal.SIGTERM, _signal.default_int_handler)
time.sleep(1e6)
"""
_INTERPRETER = ["python3", "-I", "-S", "-c", _IDLE]
