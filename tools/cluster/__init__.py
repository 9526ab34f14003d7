"""A real Kubernetes on this machine: one node, in namespaces of its own.

`up` starts it or what of it has ended, `down` removes all of it, `status` says how it is.
Linux as root, Debian packages and the binaries built from tools/go/kubernetes are all it needs; the
machine's own network, firewall and mounts stay as they are. In the work tree it keeps
.local/cluster (keys, configuration, logs, a disk) and .local/kubeconfig.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tools import images
from tools.cluster import host
from tools.cluster.machine import check_machine, check_root
from tools.cluster.parts import PARTS
from tools.cluster.start import NodeEndedError, prepare, start, wait
from tools.cluster.state import DATA, DISK, complete, not_ready, progress
from tools.paths import KUBECONFIG, ROOT
from tools.programs import ClusterError

__all__ = ["ClusterError", "down", "status", "up"]


def up(report: Callable[[str], None]) -> bool:
    """Start the cluster, or what of it does not run. True if it is a new, empty one.

    `report` gets a line per step. Takes about 5 s, and as much again the first time on a
    machine, when the images are made. Raises ClusterError if the machine lacks something,
    the cluster of another work tree runs, or a part does not become ready.
    """
    check_machine()
    archive = images.ensure(report)
    with host.lock(report):
        record = host.running()
        if record and record["tree"] != str(ROOT) and Path(record["tree"]).exists():
            raise ClusterError(
                f"The local cluster of {record['tree']} runs on this machine: "
                "stop it there first (make cluster-down)."
            )
        if record and not (record["tree"] == str(ROOT) and complete()):
            report(f"Ending the cluster of {record['tree']}, whose files are gone")
            host.kill(record)
            record = None
        if record:
            try:
                wait(record, archive, report, set(progress()))
                return False
            except NodeEndedError:
                pass
        host.clean(DISK)
        new = not complete()
        report("Starting a new cluster" if new else "Starting the cluster")
        prepare(new)
        wait(start(), archive, report, set())
        return new


def down(report: Callable[[str], None]) -> None:
    """Stop the cluster and remove all of it, its data too. Nothing to stop is no error."""
    if os.geteuid() != 0 and not host.running() and not DATA.exists():
        return
    check_root()
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
        parts = [(name, "stopped", "") for name in PARTS]
        other = f"that of {record['tree']} runs" if record else ""
        return [*parts, ("node Ready", "no", other)]
    check_root()
    parts = [
        (name, part["state"], f"ended {part['ended']} times" if part["ended"] else "")
        for name, part in progress().items()
    ]
    missing = not_ready()
    return [*parts, ("node Ready", "no" if missing else "yes", missing)]
