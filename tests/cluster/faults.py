"""What faults need below Kubernetes: the containers' processes, and when they start and end."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.cluster.project import Object
from tools.cluster import config, host
from tools.cluster.node import Record
from tools.cluster.state import not_ready, progress
from tools.programs import run


@dataclass(frozen=True)
class Process:
    """The main process of a container."""

    container: str
    """containerd's ID of the container."""

    pid: int
    """Its number in the node."""

    started: int
    """In clock ticks since the machine's start: tells it from a later process of that number."""


@dataclass(frozen=True)
class Event:
    """The start or the end of a container's main process."""

    container: str
    at: float
    """Seconds since 1970."""

    code: int | None
    """The exit code; None at the start."""


def within(seconds: float, look: Callable[[], Any]) -> Any:
    """What `look` finds, which must come within some seconds."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)
    return found


def statuses(pod: Any) -> dict[str, Any]:
    """The status of each container by name, in the order of starting."""
    init: list[Any] = pod.status.init_container_statuses or []
    app: list[Any] = pod.status.container_statuses or []
    return {status.name: status for status in [*init, *app]}


def container_ids(pod: Any) -> dict[str, str]:
    """containerd's ID of each container by name, in the order of starting; empty if it has none."""
    return {
        name: (status.container_id or "").removeprefix("containerd://")
        for name, status in statuses(pod).items()
    }


def processes(pod: Any) -> dict[str, Process]:
    """The main process of each container that runs, by the container's name."""
    pids = _pids()
    found = container_ids(pod)
    running: dict[str, Process] = {}
    for name, key in found.items():
        # It may have ended since.
        with suppress(KeyError, FileNotFoundError, ProcessLookupError):
            running[name] = _process(key, pids[key])
    return running


def sandbox(pod: Any) -> Process:
    """The process that holds the pod's namespaces."""
    uid, kind = "io.kubernetes.pod.uid", "io.cri-containerd.kind"
    labels = f'labels."{uid}"=={pod.metadata.uid},labels."{kind}"==sandbox'
    pids = _pids()
    found = ctr("containers", "ls", "--quiet", labels).split()
    running = [_process(key, pids[key]) for key in found if key in pids]
    assert len(running) == 1, found
    return running[0]


def spawned(process: Process) -> int:
    """How many processes and threads its PID namespace has had so far; asking adds one.

    Each takes the next number, so the newest has the count for its number.
    """
    namespace = f"/proc/{_node()['pid']}/root/proc/{process.pid}/ns/pid"
    return int(run("nsenter", f"--pid={namespace}", "sh", "-c", "echo $$"))


def root(process: Process) -> Path:
    """The file system of a container, as its process sees it."""
    return Path(f"/proc/{_node()['pid']}/root/proc/{process.pid}/root")


def output(pod: Any, container: str) -> Path:
    """Where the node keeps what a container prints: a file each time that it is started."""
    about = pod.metadata
    name = f"{about.namespace}_{about.name}_{about.uid}"
    return Path(f"/proc/{_node()['pid']}/root{config.DISK}/logs/{name}/{container}")


def in_network(process: Process, *command: str) -> list[str]:
    """The command that runs another one in the network of a process's pod."""
    network = f"/proc/{_node()['pid']}/root/proc/{process.pid}/ns/net"
    return ["nsenter", f"--net={network}", *command]


def kill(process: Process, name: str = "KILL") -> None:
    """Send a signal to a process of the node."""
    node = f"--target={_node()['pid']}"
    run("nsenter", node, "--mount", "--pid", "kill", f"-{name}", str(process.pid))


def kill_part(name: str) -> bool:
    """Kill a part of the node, which starts it again; whether it ran."""
    # The node's first process has started it.
    for file in Path(f"/proc/{_node()['pid']}/task").glob("*/children"):
        for pid in map(int, file.read_text().split()):
            # Others end meanwhile.
            with suppress(FileNotFoundError, ProcessLookupError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
                if Path(command).name == name:
                    os.kill(pid, signal.SIGKILL)
                    return True
    return False


def restart(part: str) -> None:
    """Kill a part of the node, and wait until the node has started it again."""
    ended = progress()[part]["ended"]
    assert kill_part(part)

    def ready() -> bool:
        now = progress()[part]
        return now["ended"] > ended and now["state"] == "ready" and not not_ready()

    within(60, ready)


def _pids() -> dict[str, int]:
    """The main process of each container that runs, by containerd's ID."""
    lines = [line.split() for line in ctr("tasks", "ls").splitlines()[1:]]
    return {key: int(pid) for key, pid, state in lines if state == "RUNNING"}


def _process(key: str, pid: int) -> Process:
    # The node's /proc has it under its number in the node.
    stat = Path(f"/proc/{_node()['pid']}/root/proc/{pid}/stat").read_text()
    return Process(key, pid, int(stat.rpartition(")")[2].split()[19]))


def _node() -> Record:
    record = host.running()
    assert record
    return record


def ctr(*words: str) -> str:
    """What containerd's own client prints, of the node's containers."""
    return run(*_ctr_command(*words))


def _ctr_command(*words: str) -> list[str]:
    socket = f"/proc/{_node()['pid']}/root{config.SOCKET}"
    return ["ctr", "--address", socket, "--namespace", "k8s.io", *words]


class Events:
    """What containerd has told since it is watched; the API rounds times to seconds."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, *containers: str) -> list[Event]:
        """Starts and ends of these containers, in order of their times."""
        found: list[Event] = []
        # The last line may be half written.
        for line in self._file.read_text().splitlines(keepends=True):
            before, _, text = line.partition(" {")
            topic = before.split()[-1]
            if topic not in ("/tasks/start", "/tasks/exit") or not text.endswith("\n"):
                continue
            told = json.loads("{" + text)
            # What was executed in a container has an ID of its own.
            if told["container_id"] not in containers or told.get("id", "") not in (
                "",
                told["container_id"],
            ):
                continue
            found.append(_event(before, told))
        return sorted(found, key=lambda event: event.at)

    def started(self, *containers: str) -> list[str]:
        """Those of these containers that have started, in order of time."""
        return [event.container for event in self.of(*containers) if event.code is None]


def _event(before: str, told: Object) -> Event:
    if "exited_at" in told:
        at, code = told["exited_at"].removesuffix("Z"), told.get("exit_status", 0)
    else:
        at, code = "T".join(before.split()[:2]), None
    whole, _, fraction = at.partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return Event(told["container_id"], seconds + float(f"0.{fraction or 0}"), code)


@contextmanager
def watched(folder: Path) -> Generator[Events]:
    """containerd's events, from before the demos are deployed."""
    file = folder / "events"
    with file.open("wb") as output:
        process = subprocess.Popen(_ctr_command("events"), stdout=output)
    try:
        yield Events(file)
    finally:
        process.terminate()
        process.wait()
