"""What the cluster needs of the machine."""

import os
import sys

from tools.paths import built
from tools.programs import BINARIES, NODE, ClusterError, missing


def check_root() -> None:
    """Raise ClusterError for anyone but root: mounts and namespaces need it."""
    if os.geteuid() != 0:
        raise ClusterError("The local cluster needs root: run this as root, or with sudo.")


def check_machine() -> None:
    """Raise ClusterError for the first thing that is missing, with what to do about it."""
    if sys.platform != "linux":
        raise ClusterError("The local cluster needs Linux: use a cluster of your own instead.")
    check_root()
    packages = missing(NODE)
    if packages:
        raise ClusterError(
            f"Not installed: {', '.join(packages.values())}. "
            f"Install the packages: apt-get install {' '.join(packages)}"
        )
    for name in BINARIES:
        binary = built("kubernetes") / name
        if not binary.exists():
            raise ClusterError(f"{binary} is missing: `make up` builds it.")
