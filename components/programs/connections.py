"""Counting connections."""

from contextlib import suppress
from pathlib import Path

TABLES = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
"""https://docs.kernel.org/networking/proc_net_tcp.html"""

_OPEN = {"01", "04", "08", "09"}
"""Established, FIN-WAIT-1, CLOSE-WAIT and LAST-ACK: in the other states all is received."""


def in_flight(port: int) -> int:
    """How many connections to the port are open, over IPv4 and IPv6: those of clients that wait
    for an answer or have not had all of it yet.

    Containers of a pod share its network, so one sees what another serves, whatever it serves
    with, and after it has stopped listening too.
    """
    end = f":{port:04X}"
    # The kernel shows one more than once if others come and go while it is read.
    found: set[tuple[str, str]] = set()
    for table in TABLES:
        # Line by line: a busy pod has tens of thousands of them. Without IPv6 one table is missing.
        with suppress(OSError), table.open() as lines:
            for line in lines:
                _, local, remote, state, _ = line.split(maxsplit=4)
                if local.endswith(end) and state in _OPEN:
                    found.add((local, remote))
    return len(found)
