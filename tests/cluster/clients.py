"""Clients in a pod's network, whose addresses the machine can't reach: load.py, handshakes.py."""

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import IO

from tests.cluster.faults import Process, in_network
from tests.cluster.project import Object


class Clients:
    """Clients that run until they are told to end."""

    def __init__(self, process: subprocess.Popen[str], told: IO[str]) -> None:
        self._process, self._told = process, told

    def tell(self, *words: str) -> None:
        """Give them a line of words."""
        print(json.dumps(words), file=self._told, flush=True)

    def end(self) -> Object:
        """What they have seen, once all have ended."""
        output, _ = self._process.communicate(timeout=30)
        return json.loads(output)


@contextmanager
def clients(process: Process, script: ModuleType, *words: object) -> Generator[Clients]:
    """The script, running with these arguments in the network of the process's pod."""
    told = (sys.executable, str(script.__file__), *map(str, words))
    command = in_network(process, *told)
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin
    try:
        yield Clients(running, running.stdin)
    finally:
        running.kill()
        running.wait()
