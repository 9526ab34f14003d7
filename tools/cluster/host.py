"""What the node touches on the machine outside it: its process, its cgroups, one network link.

All else of the node is in namespaces and ends with their first process.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path

from tools.cluster.config import API_IP, CGROUP, HOST_IP, MOUNT_POINTS
from tools.cluster.node import Record, start_time
from tools.cluster.state import DATA
from tools.programs import ClusterError, run

RUN = Path("/run/sidecar-powers")
"""One of these per machine: it says whose cluster runs."""

RECORDS = (DATA / "node.json", RUN / "node.json")
"""Either may be lost: the work tree is cleaned, or /run is."""

LINK = "sidecar-powers"
"""The machine's end of the link to the node."""


@contextlib.contextmanager
def lock(report: Callable[[str], None]) -> Generator[None]:
    """Let one command at a time start or stop a cluster on this machine."""
    while True:
        RUN.mkdir(exist_ok=True)
        file = os.open(RUN, os.O_RDONLY)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("Waiting for another command that starts or stops the cluster")
                fcntl.flock(file, fcntl.LOCK_EX)
            # If it was removed meanwhile, the next command locks another one.
            if RUN.exists() and os.fstat(file).st_ino == RUN.stat().st_ino:
                try:
                    yield
                    return
                finally:
                    # It stays while a cluster runs, since the record is in it.
                    with contextlib.suppress(OSError):
                        RUN.rmdir()
        finally:
            os.close(file)


def running() -> Record | None:
    """The node that runs on this machine, of whichever work tree."""
    for path in RECORDS:
        # The one in the work tree is for root's eyes only.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            record: Record = json.loads(path.read_text())
            if start_time(record["pid"]) == record["started"]:
                return record
    return None


def kill(record: Record) -> None:
    """End the node, and so every process, mount and interface in its namespaces."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(record["pid"])
        try:
            # Checked with the descriptor open: it stays with this process, its number may not.
            if start_time(record["pid"]) == record["started"]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                # The first process of a PID namespace ends after all others in it.
                poll = select.poll()
                poll.register(process, select.POLLIN)
                if not poll.poll(10_000):
                    raise ClusterError(f"The node's process {record['pid']} does not end.")
        finally:
            os.close(process)


def connect(pid: int) -> None:
    """Link the machine and the network namespace of `pid`, or what of it is missing."""
    node = ("nsenter", f"--net=/proc/{pid}/ns/net", "ip")
    if not Path("/sys/class/net", LINK).exists():
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "host", "netns", str(pid))
    run("ip", "address", "replace", f"{HOST_IP}/30", "dev", LINK)
    run("ip", "link", "set", LINK, "up")
    run(*node, "address", "replace", f"{API_IP}/30", "dev", "host")
    run(*node, "link", "set", "host", "up")


def make_cgroups() -> list[str]:
    """Make the cgroups of the node, and return the files through which to join them.

    Version 1 has one tree per controller, version 2 one for all.
    https://docs.kernel.org/admin-guide/cgroup-v2.html
    """
    files: list[str] = []
    trees = _cgroup_trees()
    # With both mounted, version 1 has the controllers.
    version = "cgroup" if "cgroup" in trees.values() else "cgroup2"
    for tree in (tree for tree, its_version in trees.items() if its_version == version):
        group = tree / CGROUP.strip("/")
        node = group / "node"
        for parent, child in ((tree, group), (group, node)):
            child.mkdir(exist_ok=True)
            # Empty in a new group of version 1, and no process can join before they are set.
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (child / name).exists() and (parent / name).exists():
                    (child / name).write_text((parent / name).read_text())
        if (tree / "cgroup.controllers").exists():
            for parent in (tree, group):
                for controller in (parent / "cgroup.controllers").read_text().split():
                    # One by one: where one cannot be had, the kubelet says whether it needs it.
                    with contextlib.suppress(OSError):
                        (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        files.append(str(node / "cgroup.procs"))
    return files


def clean(disk: Path) -> None:
    """Remove what a node that has ended may have left on the machine.

    `disk` is the file of its file system. Raises ClusterError if it is still in use.
    """
    if Path("/sys/class/net", LINK).exists():
        # The kernel takes it away with the namespace, but in its own time.
        with contextlib.suppress(ClusterError):
            run("ip", "link", "delete", LINK)
    deadline = time.monotonic() + 5
    while left := _remove_cgroups() or _attached(disk):
        if time.monotonic() > deadline:
            raise ClusterError(f"Of an earlier cluster there is still {left}: end that first.")
        time.sleep(0.02)
    for folder in MOUNT_POINTS:
        # Those that are the machine's own have something in them.
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    for path in RECORDS:
        path.unlink(missing_ok=True)


def _attached(disk: Path) -> str:
    """The loop device that still has the node's file system. It lets go of it by itself."""
    return run("losetup", "--associated", str(disk)).strip() if disk.exists() else ""


def _remove_cgroups() -> str:
    """Remove the node's cgroups, and return what is still in the way of that, if anything."""
    left = ""
    for tree in _cgroup_trees():
        top = tree / CGROUP.strip("/")
        for group, _, _ in os.walk(top, topdown=False):
            try:
                Path(group).rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                left = left or group
                with contextlib.suppress(OSError):
                    if processes := Path(group, "cgroup.procs").read_text().split():
                        left = f"process {', '.join(processes)}"
    return left


def _cgroup_trees() -> dict[Path, str]:
    """Where cgroups are mounted: `cgroup2` once with version 2, `cgroup` often with version 1."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = ((words[4], words[words.index("-") + 1]) for words in map(str.split, lines))
    return {Path(place): kind for place, kind in mounts if kind in ("cgroup", "cgroup2")}
