"""keep-toolbox SECONDS INTERVAL: let sessions in this container see and trace TARGET until the
pod is SECONDS old, then end them, and every INTERVAL seconds those that come later. Until then
it only waits, and says in the log once what sessions may see.
Needs shareProcessNamespace, and the user ID of the target.
"""

import os
import sys
import time

from .basics import end_when_told, say, text_of, uptime
from .processes import PROC, find, process
from .sessions import end_sessions, own_cgroup


def pods_start() -> float:
    """When the pod started, in seconds after the machine's start: when its process 1 did, which
    outlives this container, and which nobody in the pod can end.
    """
    first = process(1)
    # A runtime that hides it leaves only the start of this program.
    return first.start / os.sysconf("SC_CLK_TCK") if first else uptime()


def tracing() -> str:
    """Whether the kernel lets a sidecar trace. That both have the same user, and that the target
    hides nothing, only an attempt would tell.
    """
    try:
        refusal = trial()
    except (FileNotFoundError, PermissionError):
        return "this image has no strace"
    except OSError as error:
        refusal = str(error)
    # A process may trace its own children even so, and the trial has.
    scope = text_of(PROC / "sys" / "kernel" / "yama" / "ptrace_scope").strip() or "0"
    if scope != "0":
        return f"refused, kernel.yama.ptrace_scope is {scope} on this node"
    return "allowed" if refusal is None else f"refused, {refusal}"


def trial() -> str | None:
    """Trace a process of one's own: None if that goes well, or the first line of what strace says.
    Raises OSError if it can't be started.
    """
    reader, writer = os.pipe()
    with os.fdopen(reader, errors="replace") as said:
        try:
            pid = os.posix_spawnp(
                "strace",
                ["strace", "-qq", "-e", "trace=none", "true"],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, writer, output) for output in (1, 2)],
            )
        finally:
            os.close(writer)
        text = said.read()
    _, result = os.waitpid(pid, 0)
    return text.partition("\n")[0] if result else None


def described(name: str, pid: int) -> str:
    """What is seen of the target."""
    try:
        files = len([*(PROC / str(pid) / "fd").iterdir()])
    except OSError:
        return (
            f"{name} is process {pid}, which has another user or is not dumpable: no more is seen"
        )
    limits = text_of(PROC / str(pid) / "limits").splitlines()
    most = next((line.split()[3] for line in limits if line.startswith("Max open files")), "")
    return f"{name} is process {pid}, which has {files} files open and may have {most}"


def introduce(name: str, deadline: float) -> None:
    """Say what is seen of the target, once it is there: it starts after a native sidecar."""
    pause = 1
    while (left := deadline - uptime()) > 0:
        try:
            say(described(name, find(name).pid))
            return
        except LookupError:
            time.sleep(min(pause, left))
            pause *= 2


def main(seconds: str, interval: str) -> None:
    end_when_told()
    deadline = pods_start() + int(seconds)
    left = deadline - uptime()
    date = time.strftime("%a %b %e %H:%M:%S %Z %Y", time.localtime(time.time() + left))
    if left > 0:
        say(
            f"Open until {date}: sessions see all containers of this pod,"
            " their processes, open files, limits, environments and files"
        )
        say(f"Tracing: {tracing()}")
    introduce(os.environ["TARGET"], deadline)
    while (left := deadline - uptime()) > 0:
        time.sleep(left)
    say(f"Closed since {date}: a session is ended within {int(interval) + 3} s")
    while not (cgroup := own_cgroup()):
        say("Control groups tell no containers apart here, so no session is ended")
        time.sleep(3600)
    while True:
        end_sessions(cgroup)
        time.sleep(int(interval))


if __name__ == "__main__":
    main(*sys.argv[2:])
