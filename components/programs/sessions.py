"""Ending what others run in this container.

Needs shareProcessNamespace, so that process 1 is the pod's and not this program.
"""

import os
import signal
import time
from contextlib import suppress

from .basics import say, text_of
from .processes import PROC, pids, status


def own_cgroup() -> str:
    """A line that all processes of this container have in /proc/PID/cgroup, and process 1 hasn't.

    Nothing if control groups tell no containers apart. It is so with either version of cgroups.
    """
    own, first = (text_of(PROC / str(pid) / "cgroup").splitlines() for pid in (os.getpid(), 1))
    return next((line for line, other in zip(own, first, strict=False) if line != other), "")


def is_here(pid: int, cgroup: str) -> bool:
    """Whether it is a process of this container."""
    return cgroup in text_of(PROC / str(pid) / "cgroup").splitlines()


def sessions(cgroup: str) -> dict[int, int]:
    """The processes of this container beside this program, each with whom to send signals to."""
    found = [pid for pid in pids() if pid != os.getpid() and is_here(pid, cgroup)]
    return {pid: addressee(pid) for pid in found if status(pid, "State")[:1] not in ("", "Z")}


def addressee(pid: int) -> int:
    """The process's group: a signal to it misses nothing, however fast its processes fork.

    https://man7.org/linux/man-pages/man2/kill.2.html
    """
    with suppress(OSError):
        group = os.getpgid(pid)
        # 0 is a group of outside the pod, and -1 would be everybody.
        if group > 1 and group != os.getpgrp():
            return -group
    return pid


def stopped_elsewhere(cgroup: str) -> list[int]:
    """The processes of other containers that are stopped."""
    stopped = [pid for pid in pids() if status(pid, "State").startswith("T")]
    return [pid for pid in stopped if not is_here(pid, cgroup)]


def tell(number: signal.Signals, whom: set[int]) -> None:
    """Send a signal. Who is gone needs none."""
    for one in whom:
        with suppress(OSError):
            os.kill(one, number)


def end_sessions(cgroup: str) -> None:
    """End them, and say which; a debugger has a second to let go of what it holds.

    What is then stopped in other containers goes on: a session has stopped it, or its debugger.
    """
    found = sessions(cgroup)
    if not found:
        return
    # The name alone: in arguments there may be secrets.
    names = {pid: text_of(PROC / str(pid) / "comm").partition("\n")[0] for pid in found}
    say("Ending " + ", ".join(f"{name or 'gone'} ({pid})" for pid, name in names.items()))
    told = {*found.values()}
    # Shells end at HUP, most others at TERM, and what is stopped at neither.
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
        tell(number, told)
    time.sleep(1)
    # Not those that have come meanwhile: they have not been told.
    tell(signal.SIGKILL, told & {*sessions(cgroup).values()})
    time.sleep(1)
    tell(signal.SIGCONT, {*stopped_elsewhere(cgroup)})
