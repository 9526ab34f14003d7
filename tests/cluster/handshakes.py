"""A client that does one full TLS handshake after the other, from within a pod's network.

`python handshakes.py PORT HOST BUNDLE` connects until its standard input ends, then prints what it
saw as JSON. Each connection is a new one that knows nothing of those before, trusts what is in
BUNDLE at that moment and nothing else, wants a certificate for HOST, and gets an answer. A script
without imports of the project, since it runs in another network namespace.
"""

import json
import socket
import ssl
import sys
import threading
import time
from typing import Any

CLIENTS = 4
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class Handshakes:
    """What some clients see."""

    def __init__(self, port: int, host: str, bundle: str) -> None:
        self.port, self.host, self.bundle = port, host, bundle
        self.ended = threading.Event()
        self.count = 0
        self.failures: list[str] = []
        self.first: dict[str, float] = {}
        """When each serial was seen first, in seconds since 1970."""
        self._lock = threading.Lock()

    def client(self) -> None:
        """Connect until it is enough."""
        while not self.ended.is_set():
            try:
                serial = self._connect()
            except OSError as error:
                with self._lock:
                    self.failures.append(repr(error))
                continue
            with self._lock:
                self.count += 1
                self.first.setdefault(serial, time.time())

    def _connect(self) -> str:
        context = ssl.create_default_context(cafile=self.bundle)
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=self.host) as secured,
        ):
            certificate: dict[str, Any] = secured.getpeercert() or {}
            secured.sendall(REQUEST)
            answer = secured.recv(1024)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise OSError(f"answered {answer!r}")
            return certificate["serialNumber"]

    def seen(self) -> dict[str, Any]:
        """What all of them saw."""
        return {"count": self.count, "failures": self.failures, "first": self.first}


def main() -> None:
    """The command line."""
    handshakes = Handshakes(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    clients = [threading.Thread(target=handshakes.client) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    sys.stdin.read()
    handshakes.ended.set()
    for client in clients:
        client.join()
    print(json.dumps(handshakes.seen()))


if __name__ == "__main__":
    main()
