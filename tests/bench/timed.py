"""Runs a command and writes down what it took: python timed.py RESULT COMMAND...

A process begins with the peak memory of the one that has started it, so what is timed is started
by this one, which is small.

Seconds that the host of a virtual machine gave to others are counted as stolen.
https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def stolen() -> float:
    """Seconds since the machine's start, of all its processors."""
    ticks = Path("/proc/stat").read_text().split(maxsplit=9)[8]
    return int(ticks) / os.sysconf("SC_CLK_TCK")


taken = stolen()
started = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - started
result = {
    "wall": wall,
    "cpu": usage.ru_utime + usage.ru_stime,
    "peak": usage.ru_maxrss / 1024,
    "stolen": stolen() - taken,
    "code": os.waitstatus_to_exitcode(status),
}
Path(sys.argv[1]).write_text(json.dumps(result))
