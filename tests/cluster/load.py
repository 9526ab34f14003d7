"""A client that asks as fast as it can, from within a pod's network, and counts what fails.

`python load.py PORT` asks until its standard input ends, then prints what it saw as JSON. Each
request is a connection of its own, as of somebody who comes for the first time. A script without
imports of the project, since it runs in another network namespace.
"""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from typing import Any

CLIENTS = 4


class Load:
    """What some clients see."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.first: dict[str, float] = {}
        """When each answer was seen first, in seconds since 1970."""
        self._lock = threading.Lock()

    def client(self) -> None:
        """Ask until it is enough."""
        while not self.ended.is_set():
            try:
                answer = self._ask()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(repr(error))
                continue
            with self._lock:
                self.answers[answer] += 1
                self.first.setdefault(answer, time.time())

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            return f"{answer.status} {answer.read().decode()}"
        finally:
            connection.close()

    def seen(self) -> dict[str, Any]:
        """What all of them saw."""
        return {"answers": self.answers, "failures": self.failures, "first": self.first}


def main() -> None:
    """The command line."""
    load = Load(int(sys.argv[1]))
    clients = [threading.Thread(target=load.client) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    sys.stdin.read()
    load.ended.set()
    for client in clients:
        client.join()
    print(json.dumps(load.seen()))


if __name__ == "__main__":
    main()
