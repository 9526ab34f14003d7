"""Runs the system's programs, and says in one sentence what went wrong."""

import os
import shutil
import subprocess
from collections.abc import Mapping

from tools.errors import CommandError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: `su` without `-` leaves the sbin folders out of its PATH."""


class ClusterError(CommandError):
    """Why the local cluster cannot do what was asked."""


TESTS = {
    "busybox": "busybox-static",
    "curl": "curl",
    "inotifywait": "inotify-tools",
    "openssl": "openssl",
    "/usr/bin/python3": "python3",
}
"""The Debian package of each program that the unit tests run; images have this Python too."""

VERIFY = {"curl": "curl"}
"""The Debian package of each program that stacks print commands with."""

NODE = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "losetup": "mount",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "/usr/bin/python3": "python3",
}
"""The Debian package of each program of the system that the local cluster runs."""


BINARIES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
"""What the local cluster runs of Kubernetes, built from source."""


def missing(packages: Mapping[str, str]) -> dict[str, str]:
    """Of programs and their packages, the packages that are missing, each with a program."""
    return {package: program for program, package in packages.items() if not installed(program)}


def installed(program: str) -> bool:
    """Whether the system has a program."""
    return shutil.which(program, path=PATH) is not None


def run(*command: str) -> str:
    """Run a program of the system and return its standard output.

    Raises ClusterError with the last line it printed if it is missing or fails.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH}
        )
    except FileNotFoundError:
        raise ClusterError(f"{command[0]} is not installed.") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}"
        raise ClusterError(f"{command[0]} failed: {said.splitlines()[-1]}")
    return done.stdout
