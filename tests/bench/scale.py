"""Large stacks, deployed by the engine on simulated nodes: kwok plays their kubelets.

https://kwok.sigs.k8s.io/
"""

import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.bench import objects, stacks
from tests.bench.environment import KWOK
from tests.bench.model import Scale
from tests.bench.process import Command
from tests.cluster.faults import within
from tests.cluster.program import Program
from tests.cluster.project import Cluster, Project
from tests.cluster.requests import counted
from tools import engine, paths
from tools.cluster.config import NODE

INSTANCES = (100, 300, 1000)
NODES = 100
LONGEST = 15 * 60
"""Seconds after which an update is ended: that is where a stack of that size stops to be usable."""

_STAGES = Path(__file__).with_name("kwok.yaml")
_LABEL = {"type": "kwok"}
_ROLES = {
    "pulumi-language-python": "language host",
    "pulumi-resource-kubernetes": "plugin",
    "tools.provider": "plugin",
    " -u ": "program",
    "pulumi ": "engine",
}
"""Which process it is by what its command line has, the most telling first."""


def scales(folder: Path, say: Callable[[str], None]) -> Iterator[Scale]:
    """Larger and larger stacks, ours and raw Pulumi's in turn, until one takes too long."""
    cluster = Cluster()
    with simulated(cluster):
        ended: set[str] = set()
        for instances in INSTANCES:
            for side in ("ours", "raw Pulumi"):
                if side in ended:
                    continue
                say(f"{instances:,} instances, {side}")
                with TemporaryDirectory(dir=folder) as place:
                    found = _scale(cluster, Path(place), instances, side)
                if not found.complete:
                    ended.add(side)
                yield found


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


def _scale(cluster: Cluster, folder: Path, instances: int, side: str) -> Scale:
    (folder / "ours").mkdir()
    ours = Project(folder / "ours")
    ours.configure(demos=objects.configuration(instances)["sidecar-powers:demos"])
    program: Program = ours
    if side != "ours":
        (folder / "raw").mkdir()
        program = stacks.Raw(folder / "raw", objects.rendered(engine.LOCAL, ours.config))
    up = stacks.command(program, "up", "--yes", "--skip-preview")
    try:
        preview = watched(stacks.command(program, "preview"))
        with counted(ours.namespace) as requests:
            first = watched(up)
        unchanged = watched(up) if first.code == 0 else None
        state = next((program.folder / "state").rglob(f"{program.stack}.json"))
        return Scale(
            instances=instances,
            side=side,
            complete=first.code == 0,
            preview=preview.seconds,
            up=first.seconds,
            unchanged=unchanged.seconds if unchanged else None,
            memory=first.peaks,
            requests=dict(sorted(requests.items())),
            state=state.stat().st_size / 2**20,
        )
    finally:
        if ours.namespace in _namespaces(cluster):
            cluster.core.delete_namespace(ours.namespace)
        within(600, lambda: ours.namespace not in _namespaces(cluster))


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
        role = next((role for text, role in _ROLES.items() if text in words), "")
        if role and "VmHWM" in status:
            yield role, int(status.partition("VmHWM:")[2].split()[0]) / 1024
