"""What a container has used of the CPU, which a shared /proc says to every user."""

from pathlib import Path

from .basics import text_of


def used(proc: Path, pid: int) -> int:
    """What all processes of the container that has this process have used, and their children that
    have ended, in hundredths of a second. Raises LookupError if there is no such process.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    group = _cgroup(proc / str(pid))
    if not group:
        raise LookupError(f"No process {pid}")
    processes = [path for path in proc.iterdir() if path.name.isdigit()]
    return sum(_spent(path) for path in processes if _cgroup(path) == group)


def _cgroup(process: Path) -> str:
    """What the processes of a container have in common; a process may end meanwhile."""
    return text_of(process / "cgroup").partition("\n")[0]


def _spent(process: Path) -> int:
    # Its name, in parentheses, may be anything.
    return sum(map(int, text_of(process / "stat").rpartition(") ")[2].split()[11:15]))
