"""Answering a few requests over HTTP, beside other work."""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

_CLIENTS = 64
"""Who may be connected at a time."""

_REQUEST = 8192
"""The longest request in bytes."""


class Answers:
    """Answers requests at a port, over IPv6 too where there is IPv6, one for each connection.

    It never waits for a client: one that is slow or silent stays connected until so many others
    have come, and delays none of them.
    """

    def __init__(self, port: int, answer: Callable[[str], str | None]) -> None:
        """`answer` has the text for a path, None for one that is not found."""
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        self._server = socket.create_server(
            ("", port), family=family, backlog=_CLIENTS, dualstack_ipv6=both
        )
        self._server.setblocking(False)
        self._answer = answer
        self._heard: dict[socket.socket, bytes] = {}

    @property
    def sockets(self) -> list[socket.socket]:
        """What to wait for: when some are readable, there is something to `heed`."""
        return [self._server, *self._heard]

    def heed(self, readable: Sequence[object]) -> None:
        """Answer who has asked, hear who has begun to, and let in who has come."""
        for client in [client for client in self._heard if client in readable]:
            self._hear(client)
        if self._server in readable:
            # The client may be gone already.
            with suppress(OSError):
                client, _ = self._server.accept()
                client.setblocking(False)
                self._heard[client] = b""
        if len(self._heard) > _CLIENTS:
            self._drop(next(iter(self._heard)))

    def _hear(self, client: socket.socket) -> None:
        # A client that has broken off costs nobody else anything.
        with suppress(OSError):
            more = client.recv(_REQUEST)
            self._heard[client] += more
            request = self._heard[client]
            whole = b"\r\n\r\n" in request
            if more and not whole and len(request) < _REQUEST:
                return
            if whole:
                # A few bytes to a new connection never wait.
                client.sendall(self._reply(request))
        self._drop(client)

    def _reply(self, request: bytes) -> bytes:
        method, path, *_ = [*request.decode(errors="replace").split(" ", 2), ""]
        text = self._answer(path.partition("?")[0])
        status, text = ("404 Not Found", "Not found\n") if text is None else ("200 OK", text)
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n"
        body = "" if method == "HEAD" else text
        return f"{head}Connection: close\r\n\r\n{body}".encode()

    def _drop(self, client: socket.socket) -> None:
        del self._heard[client]
        client.close()
