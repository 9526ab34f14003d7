"""The first process of the node: starts Kubernetes' parts and starts again what ends.

It runs as a script of its own, as PID 1 of new PID, mount and network namespaces, so
when it ends the kernel ends everything in them, and every mount, interface and iptables
rule goes with them. What to run and where stands in the file named by its argument.
https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Literal, TypedDict

EXITING = 0x4
"""PF_EXITING among the flags in /proc/PID/stat, https://man7.org/linux/man-pages/man5/proc.5.html"""


class Part(TypedDict):
    """A program of the node."""

    command: list[str]
    after: list[str]
    """The parts that must be ready before this one starts."""
    ready: str
    """Answers once the part is ready: a URL, or the path of a Unix socket."""


class Plan(TypedDict):
    """What the node consists of."""

    tree: str
    """The work tree that the node belongs to."""
    records: list[str]
    """Where the node writes its Record."""
    progress: str
    """Where the node writes the Progress of each part."""
    logs: str
    """The folder for the output of the parts."""
    cgroups: list[str]
    """The cgroup.procs files through which the node joins its cgroups."""
    address: str
    """The node's own address."""
    services: str
    """The range of the services' addresses."""
    mounts: list[list[str]]
    """Arguments of mount(8), in order; mount points that are missing are made."""
    tunables: list[str]
    """Files of /proc/sys that stand in the node as copies."""
    path: str
    """PATH of the parts."""
    parts: dict[str, Part]


class Record(TypedDict):
    """The running node, as the machine sees it."""

    tree: str
    pid: int
    started: int
    """When, in clock ticks since the machine's start: tells it from a later process."""


class Progress(TypedDict):
    """How a part is doing."""

    state: Literal["waiting", "starting", "ready", "ended"]
    ended: int
    """How many times it has ended."""


def start_time(pid: int | Literal["self"]) -> int | None:
    """When a process started, in clock ticks since the machine's start; None if it is ending."""
    try:
        # The name, in brackets, may hold anything, spaces and brackets too.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The first process of a namespace may take a second to end, since it ends after all others.
    return None if int(fields[6]) & EXITING else int(fields[19])


def replace(path: str, value: object) -> None:
    """Write JSON so that a reader sees the old or the new, never a part."""
    new = Path(f"{path}.new")
    new.write_text(json.dumps(value))
    new.replace(path)


class Node:
    """The parts, each started when those it needs are ready."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pids: dict[int, str] = {}
        self._progress: dict[str, Progress] = {
            name: {"state": "waiting", "ended": 0} for name in plan["parts"]
        }
        self._changed = threading.Condition()
        self._publish()

    def run(self) -> None:
        """Start everything, then reap: orphans of the node become children of PID 1."""
        for name in self._plan["parts"]:
            self._begin(name, 0)
        while True:
            try:
                pid, _ = os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.02)
                continue
            with self._changed:
                name = self._pids.pop(pid, None)
                if name is None:
                    continue
                ended = self._progress[name]["ended"] + 1
                self._set(name, {"state": "ended", "ended": ended})
            # At once the first time, then without haste: it may end each time that it starts.
            self._begin(name, 1 if ended > 1 else 0)

    def _begin(self, name: str, delay: float) -> None:
        threading.Thread(target=self._start, args=(name, delay), daemon=True).start()

    def _start(self, name: str, delay: float) -> None:
        time.sleep(delay)
        part = self._plan["parts"][name]
        with self._changed:
            self._changed.wait_for(
                lambda: all(self._progress[other]["state"] == "ready" for other in part["after"])
            )
            pid = self._spawn(name, part["command"])
            self._pids[pid] = name
            ended = self._progress[name]["ended"]
            self._set(name, {"state": "starting", "ended": ended})
        while not answers(part["ready"]):
            time.sleep(0.05)
            if pid not in self._pids:
                return
        with self._changed:
            if pid in self._pids:
                self._set(name, {"state": "ready", "ended": ended})

    def _spawn(self, name: str, command: list[str]) -> int:
        log = f"{self._plan['logs']}/{name}.log"
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawnp(
            command[0],
            command,
            # Nothing else: a proxy of the machine is not for traffic inside the node.
            {"PATH": self._plan["path"]},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, how, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            # What is ignored here, such as HUP after `nohup make up`, stays ignored down to
            # the containers, and a shell cannot trap it there.
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            setsigmask=[],
        )

    def _set(self, name: str, progress: Progress) -> None:
        self._progress[name] = progress
        self._publish()
        self._changed.notify_all()

    def _publish(self) -> None:
        # The work tree may be gone while its node still runs.
        with contextlib.suppress(OSError):
            replace(self._plan["progress"], self._progress)


def answers(address: str) -> bool:
    """Whether a URL answers with 200, or something listens on a Unix socket."""
    try:
        if address.startswith("/"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(address)
            return True
        # Only whether it answers counts; the scheduler's certificate is its own invention.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with urllib.request.urlopen(address, timeout=2, context=context) as answer:
            return answer.status == 200
    except (OSError, http.client.HTTPException):
        return False


def join(cgroups: list[str]) -> None:
    """Move to cgroups of the node's own: out of the terminal's, which may end or be full."""
    for file in cgroups:
        Path(file).write_text("0")


def mount(mounts: list[list[str]]) -> None:
    """Mount file systems. All of them go with the namespace."""
    for arguments in mounts:
        Path(arguments[-1]).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", *arguments], check=True)


def copy_tunables(files: list[str]) -> None:
    """Put copies over settings of the whole machine, so that nothing here changes them."""
    for file in files:
        copy = Path("/run/tunables", file)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(Path("/proc/sys", file).read_text())
        subprocess.run(["mount", "--bind", str(copy), f"/proc/sys/{file}"], check=True)


def connect(address: str, services: str) -> None:
    """Give the node its address, before there are pods, and let it route between them."""
    for command in (
        "link set lo up",
        f"address add {address}/32 dev lo",
        # So that the node's own processes reach services, which have no route otherwise.
        f"route add {services} dev lo src {address}",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def main() -> None:
    """Build the node around this process, then run its parts."""
    plan: Plan = json.loads(Path(sys.argv[1]).read_text())
    os.environ["PATH"] = plan["path"]
    os.umask(0o022)
    # /proc is still the machine's here, and has this process under its pid there.
    started = start_time("self")
    assert started is not None
    record: Record = {
        "tree": plan["tree"],
        "pid": int(Path("/proc/self").readlink().name),
        "started": started,
    }
    node = Node(plan)
    for path in plan["records"]:
        replace(path, record)
    join(plan["cgroups"])
    mount(plan["mounts"])
    copy_tunables(plan["tunables"])
    connect(plan["address"], plan["services"])
    node.run()


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
