"""Clients that ask as fast as they can, from within a pod's network, and count what fails.

`python load.py PORT [SECONDS [HOST [PATH [kept]]]]` asks until its standard input ends, then prints
what it saw as JSON; with SECONDS, a client asks again after so many. A line of the input is a list
of bearer tokens, which are shown by turns from then on. Each request is a connection of its own, as
of somebody who comes for the first time; with `kept`, a client keeps its connection as long as the
server does. A script without imports of the project, since it runs in another network namespace.
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

    def __init__(
        self,
        port: int,
        seconds: float = 0,
        host: str = "127.0.0.1",
        path: str = "/",
        kept: str = "",
    ) -> None:
        self.port, self.seconds = port, seconds
        self.host, self.path, self.kept = host, path, bool(kept)
        self.tokens: Iterator[str] = cycle([""])
        self.ended = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.first: dict[str, float] = {}
        """When each answer was seen first, in seconds since 1970."""
        self._lock = threading.Lock()

    def client(self) -> None:
        """Ask until it is enough."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        while not self.ended.wait(self.seconds):
            try:
                answer = self._ask(connection)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with self._lock:
                    self.failures.append(repr(error))
                continue
            with self._lock:
                self.answers[answer] += 1
                self.first.setdefault(answer, time.time())

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        token = next(self.tokens)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if not self.kept:
            headers["Connection"] = "close"
        # It connects unless it is connected.
        connection.request("GET", self.path, headers=headers)
        answer = connection.getresponse()
        text = f"{answer.status} {answer.read().decode()}"
        if not self.kept:
            connection.close()
        return text

    def seen(self) -> dict[str, Any]:
        """What all of them saw."""
        return {"answers": self.answers, "failures": self.failures, "first": self.first}


def main() -> None:
    """The command line."""
    port, *words = sys.argv[1:]
    load = Load(int(port), float(words[0]) if words else 0, *words[1:])
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
