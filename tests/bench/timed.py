"""Runs a command and writes down what it took: python timed.py RESULT COMMAND...

A process begins with the peak memory of the one that has started it, so what is timed is started
by this one, which is small.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

started = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
wall = time.perf_counter() - started
result = {
    "wall": wall,
    "cpu": usage.ru_utime + usage.ru_stime,
    "peak": usage.ru_maxrss / 1024,
    "code": os.waitstatus_to_exitcode(status),
}
Path(sys.argv[1]).write_text(json.dumps(result))
