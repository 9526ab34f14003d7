"""A real Kubernetes on this machine: one node, in namespaces of its own.

`up` starts it or what of it has ended, `down` removes all of it, `status` says how it is.
Linux as root, Debian packages and the binaries in tools.paths.BIN are all it needs; the
machine's own network, firewall and mounts stay as they are. In the work tree it keeps
.local/cluster (keys, configuration, logs, a disk) and .local/kubeconfig.
"""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from .. import images
from ..paths import BIN, KUBECONFIG, ROOT
from ..programs import PATH, ClusterError, installed, run
from . import config, host, node, pki
from .host import DATA

__all__ = ["ClusterError", "down", "status", "up"]

DISK = DATA / "disk.img"
LOGS = DATA / "logs"
PKI = DATA / "pki"
PROGRESS = DATA / "progress.json"

DISK_SIZE = 8 << 30
"""Bytes of the node's file system. The file is sparse: it takes what is in it."""

PATIENCE = 120
"""Seconds until what does not become ready counts as failed. A slow machine takes 40."""

FAILURES = 5
"""How often a part may end while the cluster starts."""

LOADS = 20
"""How often to try to load the images."""

PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "losetup": "mount",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
"""The Debian package of each program of the system that the cluster runs."""

BINARIES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)


class _NodeEndedError(ClusterError):
    """The node's first process has ended."""


def up(report: Callable[[str], None]) -> bool:
    """Start the cluster, or what of it does not run. True if it is a new, empty one.

    `report` gets a line per step. Takes about 10 s, more the first time on a machine, when
    the images are made. Raises ClusterError if the machine lacks something, the cluster of
    another work tree runs, or a part does not become ready.
    """
    _check_machine()
    archive = images.ensure(report)
    with host.lock(report):
        record = host.running()
        if record and record["tree"] != str(ROOT) and Path(record["tree"]).exists():
            raise ClusterError(
                f"The local cluster of {record['tree']} runs on this machine: "
                "stop it there first (make cluster-down)."
            )
        if record and not (record["tree"] == str(ROOT) and _complete()):
            report(f"Ending the cluster of {record['tree']}, whose files are gone")
            host.kill(record)
            record = None
        if record:
            try:
                _wait(record, archive, report, set(_progress()))
                return False
            except _NodeEndedError:
                pass
        host.clean(DISK)
        new = not _complete()
        report("Starting a new cluster" if new else "Starting the cluster")
        _prepare(new)
        _wait(_start(), archive, report, set())
        return new


def down(report: Callable[[str], None]) -> None:
    """Stop the cluster and remove all of it, its data too. Nothing to stop is no error."""
    if os.geteuid() != 0 and not host.running() and not DATA.exists():
        return
    _check_root()
    with host.lock(report):
        record = host.running()
        if record and record["tree"] != str(ROOT) and Path(record["tree"]).exists():
            report(f"The cluster that runs belongs to {record['tree']}, and stays")
        else:
            if record:
                report("Stopping the cluster")
                host.kill(record)
            host.clean(DISK)
        if DATA.exists():
            report(f"Removing {DATA}")
            shutil.rmtree(DATA)
        KUBECONFIG.unlink(missing_ok=True)


def status() -> list[tuple[str, str, str]]:
    """Each part of the cluster, its state, and a detail of it or an empty string.

    The state of a part is stopped, waiting (for another part), starting, ready or ended (and
    about to start again); that of `node Ready` is yes or no.
    """
    record = host.running()
    if record is None or record["tree"] != str(ROOT):
        parts = [(name, "stopped", "") for name in config.PARTS]
        other = f"that of {record['tree']} runs" if record else ""
        return [*parts, ("node Ready", "no", other)]
    _check_root()
    parts = [
        (name, part["state"], f"ended {part['ended']} times" if part["ended"] else "")
        for name, part in _progress().items()
    ]
    missing = _not_ready()
    return [*parts, ("node Ready", "no" if missing else "yes", missing)]


def _check_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("The local cluster needs root: run this as root, or with sudo.")


def _check_machine() -> None:
    if sys.platform != "linux":
        raise ClusterError("The local cluster needs Linux: use a cluster of your own instead.")
    _check_root()
    packages = {package: name for name, package in PACKAGES.items() if not installed(name)}
    if not Path("/usr/lib/cni/ptp").exists():
        packages["containernetworking-plugins"] = "/usr/lib/cni/ptp"
    if packages:
        raise ClusterError(
            f"Not installed: {', '.join(packages.values())}. "
            f"Install the packages: apt-get install {' '.join(packages)}"
        )
    for name in BINARIES:
        if not (BIN / name).exists():
            raise ClusterError(f"{BIN / name} is missing: `make up` builds it.")


def _complete() -> bool:
    """Whether there is a cluster's data. One half is of no use without the other."""
    return DISK.exists() and PKI.exists()


def _prepare(new: bool) -> None:
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


def _start() -> node.Record:
    """Start the node's first process, in namespaces of its own."""
    folder = DATA / "config"
    folder.mkdir(exist_ok=True)
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
        "parts": config.parts(folder, PKI),
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
    raise _failure("node")


def _wait(
    record: node.Record, archive: Path, report: Callable[[str], None], told: set[str]
) -> None:
    """Until the node is Ready and has the images. The parts in `told` go without saying."""
    host.connect(record["pid"])
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(yaml.safe_dump(config.kubeconfig(PKI, "admin", config.API)))
    begin = time.monotonic()
    ended_before = {name: part["ended"] for name, part in _progress().items()}
    loaded = False
    loads = 0
    while host.running() == record:
        parts = _progress()
        ready = {name for name, part in parts.items() if part["state"] == "ready"}
        for name, part in parts.items():
            if part["ended"] - ended_before.get(name, 0) >= FAILURES:
                raise _failure(name)
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
                # It may have ended a moment ago, and be about to start again.
                loads += 1
                if loads == LOADS:
                    raise
        late = [name for name in parts if name not in ready]
        if loaded and not late and not _not_ready():
            report("The node is ready")
            return
        if time.monotonic() - begin > PATIENCE:
            raise _failure(late[0]) if late else ClusterError(f"The node: {_not_ready()}.")
        time.sleep(0.05)
    raise _NodeEndedError(str(_failure("node")))


def _not_ready() -> str:
    """What the node lacks before pods can run on it; an empty string if nothing."""
    if not _complete():
        return "the cluster's files are gone"
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
    client = http.client.HTTPSConnection(config.API_IP, 6443, timeout=5, context=context)
    try:
        client.request("GET", f"/api/v1/nodes/{config.NODE}")
        answer = client.getresponse()
        found = json.loads(answer.read())
        if answer.status != 200:
            return found["message"]
        for condition in found["status"].get("conditions", []):
            if condition["type"] == "Ready" and condition["status"] != "True":
                return condition["message"]
        taints = [taint["key"] for taint in found["spec"].get("taints", [])]
        if taints:
            return f"still tainted: {', '.join(taints)}"
        client.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        answer = client.getresponse()
        answer.read()
        return "" if answer.status == 200 else "no service account yet"
    except (OSError, http.client.HTTPException) as error:
        return f"the API server does not answer: {error}"
    finally:
        client.close()


def _progress() -> dict[str, node.Progress]:
    try:
        return json.loads(PROGRESS.read_text())
    except FileNotFoundError:
        return {}


def _failure(part: str) -> ClusterError:
    """What to say of a part that does not run: the end of its log, which mostly tells why."""
    log = LOGS / f"{part}.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    said = "\n".join(f"  {line[:300]}" for line in lines)
    return ClusterError(f"{part} does not become ready; the last lines of {log}:\n{said}")
