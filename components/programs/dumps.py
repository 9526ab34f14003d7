"""Writing down how another container's processes are, for the time when they are gone.

It takes their user ID. The environment is left out: secrets may be there.
"""

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from .basics import drop, publish, text_of
from .processes import PROC, pids, status

MOST_PROCESSES, MOST_LINES, MOST_BYTES = 50, 200, 262144
"""What a dump may have: processes, lines of each part, bytes."""

STATES = (
    "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK "
    "LISTEN CLOSING SYN_RECV"
)
"""Of connections, as the kernel counts them from 1 on."""


def dump(main: int, file: Path, heading: str) -> bool:
    """Put into the file, in one step, how the process and all that descend from it are. False, and
    said, if that can't be done.
    """
    members = map(described, family(main)[:MOST_PROCESSES])
    text, size = "", 0
    for line in chain([heading], *members, [""], part("TCP connections of the pod", connections())):
        size += len(line.encode()) + 1
        if size > MOST_BYTES:
            break
        text += f"{line}\n"
    return publish(file, text)


def keep_newest(file: Path, count: int) -> None:
    """Of the dumps beside this one, which is the newest, keep as many as make so many with it;
    their names sort by time.
    """
    others = sorted({*file.parent.glob("*.txt")} - {file}, reverse=True)
    discard(others[count - 1 :])


def discard(files: Iterable[Path]) -> None:
    """Remove them, and say which can't be removed."""
    for file in files:
        try:
            drop(file)
        except OSError as error:
            print(f"cannot remove {file}: {error.strerror}", file=sys.stderr, flush=True)


def family(main: int) -> list[int]:
    """The process and all that descend from it, parents first."""
    parents = {pid: status(pid, "PPid") for pid in sorted(pids())}
    found = [main]
    for member in found:
        found += [pid for pid in parents if parents[pid] == str(member) and pid not in found]
    return found


def described(pid: int) -> Iterator[str]:
    """How a process is."""
    folder = PROC / str(pid)
    command = text_of(folder / "cmdline").replace("\0", " ").replace("\n", " ")
    yield from ("", f"== process {pid}: {command[:200]}")
    yield from part("status", lines_of(folder / "status"))
    yield from part("threads", threads(folder / "task"))
    yield from part("open files", open_files(folder / "fd"))
    yield from part("limits", lines_of(folder / "limits"))


def part(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A part of a dump, as far as it can be seen: a process may end meanwhile."""
    yield f"-- {title}"
    try:
        yield from islice(lines, MOST_LINES)
    except OSError:
        return


def lines_of(file: Path) -> Iterator[str]:
    """One after the other: a file may have far more than a dump."""
    with file.open(errors="replace") as text:
        for line in text:
            yield line.rstrip("\n")


def threads(folder: Path) -> Iterator[str]:
    """Number, state, what the kernel waits for (0 if it doesn't tell), and name of each."""
    for number in sorted(int(path.name) for path in folder.iterdir()):
        wait, name = (text_of(folder / str(number) / file).strip() for file in ("wchan", "comm"))
        yield f"{number} {status(number, 'State')} waits in {wait} {name}"


def open_files(folder: Path) -> Iterator[str]:
    """Number of each, and what it is."""
    for number in sorted(int(path.name) for path in folder.iterdir()):
        try:
            name = os.fsencode((folder / str(number)).readlink()).decode(errors="replace")
        except OSError:
            continue
        yield f"{number} -> {name}"


def connections() -> Iterator[str]:
    """Those of the pod, which has one network. Of a listener Recv-Q is how many wait. Each probe
    leaves one behind that is over.
    """
    states = dict(enumerate(STATES.split(), start=1))
    yield "Recv-Q Send-Q Local-Address Foreign-Address State"
    for file in ("tcp", "tcp6"):
        for line in islice(lines_of(PROC / "net" / file), 1, None):
            local, remote, number, queues = line.split()[1:5]
            state = states.get(int(number, 16), number)
            if state != "TIME_WAIT":
                sent, received = (int(queue, 16) for queue in queues.split(":"))
                yield f"{received} {sent} {address(local)} {address(remote)} {state}"


def address(text: str) -> str:
    """127.0.0.1:8080 of 0100007F:1F90: the kernel shows each word as the machine has it."""
    words, _, port = text.partition(":")
    each = [int(words[at : at + 8], 16) for at in range(0, len(words), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in each)
    kind = socket.AF_INET if len(each) == 1 else socket.AF_INET6
    return f"{socket.inet_ntop(kind, packed)}:{int(port, 16)}"
