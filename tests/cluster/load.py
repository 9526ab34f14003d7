"""Clients that ask as fast as they can, from within a pod's network, and count what fails.

`python load.py PORT [SECONDS]` asks until its standard input ends, then prints what it saw as
JSON; with SECONDS, a client asks again after so many. A line of the input is a list of bearer
tokens, which are shown by turns from then on. Each request is a connection of its own, as of
somebody who comes for the first time. A script without imports of the project, since it runs in
another network namespace.
"""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from typing import Any

CLIENTS = 4


class Load:
    """What some clients see."""

    def __init__(self, port: int, seconds: float = 0) -> None:
        self.port, self.seconds = port, seconds
        self.tokens: Iterator[str] = cycle([""])
        self.ended = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.first: dict[str, float] = {}
        """When each answer was seen first, in seconds since 1970."""
        self._lock = threading.Lock()

    def client(self) -> None:
        """Ask until it is enough."""
        while not self.ended.wait(self.seconds):
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
            token = next(self.tokens)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", "/", headers={"Connection": "close", **headers})
            answer = connection.getresponse()
            return f"{answer.status} {answer.read().decode()}"
        finally:
            connection.close()

    def seen(self) -> dict[str, Any]:
        """What all of them saw."""
        return {"answers": self.answers, "failures": self.failures, "first": self.first}


def main() -> None:
    """The command line."""
    load = Load(int(sys.argv[1]), *map(float, sys.argv[2:]))
    clients = [threading.Thread(target=load.client) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for line in sys.stdin:
        load.tokens = cycle(json.loads(line))
    load.ended.set()
    for client in clients:
        client.join()
    print(json.dumps(load.seen()))


if __name__ == "__main__":
    main()
