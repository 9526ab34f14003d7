"""Other containers' processes, as a pod that shares its process namespace shows them in /proc.

https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/
"""

import errno
import os
import signal
from pathlib import Path
from typing import NamedTuple

from .basics import text_of

PROC = Path("/proc")


class Process(NamedTuple):
    """Its number alone would not say which process it is: numbers are used again."""

    pid: int
    start: int
    """When it started, in ticks since the machine's start."""


def process(pid: int) -> Process | None:
    """The process of that number, unless there is none or it has ended."""
    # Its name, in parentheses, may be anything.
    fields = text_of(PROC / str(pid) / "stat").rpartition(") ")[2].split()
    return Process(pid, int(fields[19])) if fields and fields[0] != "Z" else None


def runs(known: Process | None) -> bool:
    """Whether it is still there, and no other process under its number."""
    return known is not None and process(known.pid) == known


def send(known: Process, number: int) -> None:
    """Signal that process, and none that has got its number since. Raises OSError.

    https://man7.org/linux/man-pages/man2/pidfd_open.2.html
    """
    descriptor = os.pidfd_open(known.pid)
    try:
        if not runs(known):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def status(pid: int, field: str) -> str:
    """That field of /proc/PID/status, nothing if there is no such process."""
    for line in text_of(PROC / str(pid) / "status").splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return value.strip()
    return ""


def targets(name: str) -> list[int]:
    """The processes that have the name, of a container, as one whole argument.

    A process that was forked has the command line of its parent, so one whose parent matches too
    is left out.
    """
    found = [pid for pid in pids() if name in arguments(pid)]
    return [pid for pid in found if int(status(pid, "PPid") or 0) not in found]


def arguments(pid: int) -> list[str]:
    """The command line of a process."""
    return text_of(PROC / str(pid) / "cmdline").split("\0")[:-1]


def find(name: str) -> Process:
    """The main process of the container. Raises LookupError if there is none or more than one."""
    found = targets(name)
    if len(found) > 1:
        listed = "\n".join(map(str, found))
        raise LookupError(f"Several processes {name}, none is signalled:\n{listed}")
    known = process(found[0]) if found else None
    if known is None:
        raise LookupError(f"No process {name} to signal")
    return known


def catches(pid: int, name: str) -> bool:
    """Whether the process would survive the signal, such as `USR1`: it handles it."""
    number = signal.Signals[f"SIG{name}"]
    return bool(int(status(pid, "SigCgt") or "0", 16) >> (number - 1) & 1)
