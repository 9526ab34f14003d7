"""Starts the node and waits until pods can run on it."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from tools import images
from tools.cluster import config, host, node, pki
from tools.cluster.parts import parts
from tools.cluster.state import DATA, DISK, LOGS, PKI, PROGRESS, failure, not_ready, progress
from tools.paths import KUBECONFIG, ROOT
from tools.programs import PATH, ClusterError, run

DISK_SIZE = 8 << 30
"""Bytes of the node's file system. The file is sparse: it takes what is in it."""

PATIENCE = 120
"""Seconds until what does not become ready counts as failed."""

FAILURES = 5
"""How often a part may end, or loading the images fail, while the cluster starts."""


class NodeEndedError(ClusterError):
    """The node's first process has ended."""


def prepare(new: bool) -> None:
    """Make the keys and the disk if they are to be new ones, and room for logs."""
    if new:
        shutil.rmtree(DATA, ignore_errors=True)
        DATA.mkdir(mode=0o700, parents=True)
        api_addresses = ["127.0.0.1", config.FIRST_SERVICE, config.NODE_IP, config.API_IP]
        pki.create(PKI, config.NODE, api_addresses, config.NODE_IP)
        unfinished = DISK.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.truncate(DISK_SIZE)
        run("mkfs.ext4", "-q", "-m", "0", str(unfinished))
        unfinished.rename(DISK)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir()
    PROGRESS.unlink(missing_ok=True)


def start() -> node.Record:
    """Start the node's first process, in namespaces of its own."""
    folder = DATA / "config"
    config.write(folder, PKI)
    plan: node.Plan = {
        "tree": str(ROOT),
        "records": [str(path) for path in host.RECORDS],
        "progress": str(PROGRESS),
        "logs": str(LOGS),
        "cgroups": host.make_cgroups(),
        "address": config.NODE_IP,
        "services": config.SERVICES,
        "mounts": config.mounts(DISK),
        "tunables": config.TUNABLES,
        "path": PATH,
        "parts": parts(folder, PKI),
    }
    plan_file = folder / "node.json"
    plan_file.write_text(json.dumps(plan, indent=2))
    namespaces = ("--pid", "--mount", "--net", "--fork", "--kill-child")
    with (LOGS / "node.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", *namespaces, sys.executable, "-I", node.__file__, str(plan_file)],
            env={"PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Neither the terminal's end nor its Ctrl-C is the cluster's.
            start_new_session=True,
        )
    # Reaps it, if this process is still there when it ends.
    threading.Thread(target=process.wait, daemon=True).start()
    while process.returncode is None:
        record = host.running()
        if record:
            return record
        time.sleep(0.01)
    raise failure("node")


def wait(record: node.Record, archive: Path, report: Callable[[str], None], told: set[str]) -> None:
    """Until the node is Ready and has the images. The parts in `told` go without saying.

    Raises NodeEndedError if the node does not live to see it.
    """
    host.connect(record["pid"])
    _write_kubeconfig()
    deadline = time.monotonic() + PATIENCE
    ended_before = {name: part["ended"] for name, part in progress().items()}
    loaded = False
    failed_loads = 0
    while host.running() == record:
        now = progress()
        ready = {name for name, part in now.items() if part["state"] == "ready"}
        for name, part in now.items():
            if part["ended"] - ended_before.get(name, 0) >= FAILURES:
                raise failure(name)
            if name in ready - told:
                told.add(name)
                report(f"{name} is ready")
        if not loaded and "containerd" in ready:
            try:
                # The machine sees the node's files under its process.
                if images.load(archive, f"/proc/{record['pid']}/root{config.SOCKET}"):
                    report("The images are loaded")
                loaded = True
            except ClusterError:
                failed_loads += 1
                if failed_loads == FAILURES:
                    raise
                # containerd may have ended a moment ago: the node starts it again.
                time.sleep(0.5)
        late = [name for name in now if name not in ready]
        if loaded and not late and not not_ready():
            report("The node is ready")
            return
        if time.monotonic() > deadline:
            raise failure(late[0]) if late else ClusterError(f"The node: {not_ready()}.")
        time.sleep(0.05)
    raise NodeEndedError(str(failure("node")))


def _write_kubeconfig() -> None:
    text = yaml.safe_dump(config.kubeconfig(PKI, "admin", config.API), sort_keys=False)
    # Others may be reading it, so it is not touched if it is right.
    if not KUBECONFIG.exists() or KUBECONFIG.read_text() != text:
        KUBECONFIG.touch(mode=0o600)
        KUBECONFIG.write_text(text)
