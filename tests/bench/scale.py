"""Large stacks, deployed by the engine on simulated nodes: kwok plays their kubelets.

https://kwok.sigs.k8s.io/
"""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench import objects, stacks
from tests.bench.environment import KWOK
from tests.bench.model import Measure, Object, Scale
from tests.bench.process import RUNS, Command, run
from tests.cluster.faults import within
from tests.cluster.program import Program
from tests.cluster.project import Cluster, Project
from tests.cluster.requests import counted
from tools import engine, paths
from tools.cluster.config import NODE
from tools.errors import CommandError

INSTANCES = (100, 300, 1000)
NODES = 100
LONGEST = 15 * 60
"""Seconds after which an update is ended: that is where a stack of that size stops to be usable."""

_STAGES = Path(__file__).with_name("kwok.yaml")
_LABEL = {"type": "kwok"}
_ROLES = {
    # This project's host runs the program itself.
    "language_host.py": "program",
    "pulumi-language-python-exec": "program",
    "pulumi-language-python": "language host",
    "pulumi-resource-kubernetes": "plugin",
    "tools.provider": "plugin",
    "pulumi ": "engine",
}
"""Which process it is by what its command line has, the most telling first."""
_OURS = "ours"
_RAW = "raw Pulumi"
_ONCE = "ours, state written once"
_SIDES: dict[str, Mapping[str, str]] = {
    _OURS: {},
    _RAW: {},
    # https://github.com/pulumi/pulumi/issues/10668
    _ONCE: {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"},
}
"""What the engine is told by environment variables."""


def scales(folder: Path, say: Callable[[str], None]) -> Iterator[Scale]:
    """Larger and larger stacks, each side in turn, until one takes too long."""
    cluster = Cluster()
    with simulated(cluster):
        ended: set[str] = set()
        for instances in INSTANCES:
            for side in _SIDES:
                if side in ended:
                    continue
                say(f"{instances:,} instances, {side}")
                found = _scale(cluster, folder, instances, side)
                if not found.complete:
                    ended.add(side)
                yield found


def growth(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """What ten times the instances cost."""
    cluster = Cluster()
    few, many = INSTANCES[0] // 10, INSTANCES[0]
    taken: dict[int, list[Scale]] = {few: [], many: []}
    with simulated(cluster):
        for number in range(RUNS):
            say(f"{few} and {many} instances, {number + 1} of {RUNS}")
            for instances in (few, many) if number % 2 else (many, few):
                taken[instances].append(_scale(cluster, folder, instances, _OURS))
    for command in ("preview", "up"):
        yield Measure(
            group="Growth",
            name=f"{command} of {many} instances, simulated nodes",
            peer=f"10 times that of {few}",
            ours=[getattr(item, command) for item in taken[many]],
            theirs=[10 * getattr(item, command) for item in taken[few]],
            aim=1.0,
        )


def profile(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The share of parts of the engine in its processor time, during an up of a large stack, and
    the share of parts of its resources in the state that it writes."""
    cluster = Cluster()
    with simulated(cluster), _program(cluster, folder, INSTANCES[0], _OURS) as (program, _):
        run(stacks.command(program, *stacks.UP, "--profiling", str(folder / "engine")))
        held = composition(json.loads(_state(program).read_text()))
    file = next(folder.glob("engine.*.cpu"))
    words = ["go", "tool", "pprof", "-top", "-cum", "-nodecount=2000", "-nodefraction=0"]
    told = subprocess.run([*words, str(file)], capture_output=True, text=True, check=True).stdout
    return shares(told), held


def composition(state: Object) -> dict[str, float]:
    """What the resources of a state consist of, by its size as JSON."""
    resources = state["checkpoint"]["latest"]["resources"]
    sizes: dict[str, int] = {}
    for resource in resources:
        for field, value in resource.items():
            part = field if field in _FIELDS else "the rest"
            sizes[part] = sizes.get(part, 0) + len(json.dumps(value))
    total = sum(sizes.values())
    return {part: sizes.get(part, 0) / total for part in (*_FIELDS, "the rest")}


_FIELDS = ("inputs", "outputs", "stackTrace")


def shares(told: str) -> dict[str, float]:
    """The parts of the engine that `go tool pprof -top -cum` tells of."""
    lines = re.findall(r"^ *(?:\S+ +){4}([\d.]+)% +(\S+)", told, re.M)
    found = {function: float(percent) / 100 for percent, function in lines}
    return {part: found.get(function, 0.0) for part, function in _FUNCTIONS.items()}


_FUNCTIONS = {
    "saving the state": "github.com/pulumi/pulumi/pkg/v3/backend.(*SnapshotManager).saveSnapshot",
    "of it, writing JSON": "encoding/json.(*Encoder).Encode",
    "of it, checksums of it": "crypto/md5.(*digest).Write",
    "of it, a copy of the former": "github.com/pulumi/pulumi/pkg/v3/backend/diy.backupTarget",
}
"""What is looked for in the engine's profile, and by which function it is known."""


@contextmanager
def simulated(cluster: Cluster) -> Generator[None]:
    """Nodes that take any pod and start it at once, and no other node to go to."""
    words = [KWOK, "--kubeconfig", str(paths.KUBECONFIG), "--config", str(_STAGES)]
    chosen = ["--manage-nodes-with-label-selector", "type=kwok"]
    log = subprocess.DEVNULL
    kwok = subprocess.Popen([*words, *chosen], stdout=log, stderr=log)
    names = [f"simulated-{number}" for number in range(NODES)]
    try:
        for name in names:
            cluster.core.create_node({"metadata": {"name": name, "labels": _LABEL}})
        cluster.core.patch_node(NODE, {"spec": {"unschedulable": True}})
        within(60, lambda: all(_ready(node) for node in cluster.core.list_node().items))
        yield
    finally:
        cluster.core.patch_node(NODE, {"spec": {"unschedulable": None}})
        for name in names:
            cluster.core.delete_node(name)
        kwok.terminate()
        kwok.wait()


def _ready(node: Any) -> bool:
    conditions: list[Any] = node.status.conditions or []
    return any(item.type == "Ready" and item.status == "True" for item in conditions)


@contextmanager
def _program(
    cluster: Cluster, folder: Path, instances: int, side: str
) -> Generator[tuple[Program, str]]:
    """A stack of so many instances and its namespace, which is removed in the end."""
    with TemporaryDirectory(dir=folder) as place:
        for name in ("ours", "raw"):
            Path(place, name).mkdir()
        ours = Project(Path(place, "ours"))
        ours.configure(demos=objects.configuration(instances)["sidecar-powers:demos"])
        program: Program = ours
        if side == _RAW:
            program = stacks.Raw(Path(place, "raw"), objects.rendered(engine.LOCAL, ours.config))
        program.env |= _SIDES[side]
        try:
            yield program, ours.namespace
        finally:
            if ours.namespace in _namespaces(cluster):
                cluster.core.delete_namespace(ours.namespace)
            within(600, lambda: ours.namespace not in _namespaces(cluster))


def _scale(cluster: Cluster, folder: Path, instances: int, side: str) -> Scale:
    with _program(cluster, folder, instances, side) as (program, namespace):
        up = stacks.command(program, *stacks.UP)
        preview = watched(stacks.command(program, "preview"))
        with counted(namespace) as requests:
            first = watched(up)
        if first.code:
            raise CommandError(f"{instances} instances, {side}: the update failed")
        unchanged = watched(up) if first.code == 0 else None
        return Scale(
            instances=instances,
            side=side,
            complete=first.code == 0,
            preview=preview.seconds,
            up=first.seconds,
            unchanged=unchanged.seconds if unchanged else None,
            memory=first.peaks,
            requests=dict(sorted(requests.items())),
            state=_state(program).stat().st_size / 2**20,
        )


def _state(program: Program) -> Path:
    return next((program.folder / "state").rglob(f"{program.stack}.json"))


def _namespaces(cluster: Cluster) -> list[str]:
    return [item.metadata.name for item in cluster.core.list_namespace().items]


class Watched(NamedTuple):
    """A command that has been watched."""

    code: int | None
    """None if it took too long."""
    seconds: float
    peaks: dict[str, float]
    """The most memory of each of its processes, in MiB."""


def watched(command: Command) -> Watched:
    """Run a command, and look at its processes; ended after LONGEST seconds."""
    peaks: dict[str, float] = {}
    started = time.monotonic()
    process = subprocess.Popen(
        command.words,
        cwd=command.folder,
        env={**command.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    late = False
    while process.poll() is None:
        for role, peak in _peaks(process.pid):
            peaks[role] = max(peak, peaks.get(role, 0))
        if not late and time.monotonic() > started + LONGEST:
            late = True
            process.send_signal(signal.SIGINT)
        time.sleep(0.25)
    return Watched(None if late else process.returncode, time.monotonic() - started, peaks)


def _peaks(root: int) -> Iterator[tuple[str, float]]:
    """What each process under one is, and the most memory that it has had, in MiB."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    family = {root}
    while found := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= found
    for pid in family:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        if (part := role(words)) and "VmHWM" in status:
            yield part, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def role(words: str) -> str:
    """Which process of Pulumi's a command line starts; empty for others."""
    return next((role for text, role in _ROLES.items() if text in words), "")
