"""Asking a server over HTTP whether it answers."""

import re
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple


class Answer(NamedTuple):
    """What became of a request."""

    took: int
    """Milliseconds until all of the answer was there, or until there was none to come."""
    problem: str
    """Why it is no good answer, nothing if it is one."""


def ask(url: str, slow: float, timeout: float, late: Callable[[], None]) -> Answer:
    """Get the URL, such as http://127.0.0.1:8080/. `late` runs once `slow` seconds have passed,
    while the server still has the request; the time that it takes does not count, and no answer
    is waited for longer than `timeout` seconds.
    """

    def is_slow(_number: int, _frame: FrameType | None) -> None:
        late()
        signal.signal(signal.SIGALRM, is_missing)
        signal.setitimer(signal.ITIMER_REAL, timeout - slow)

    def is_missing(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, slow)
    signal.signal(signal.SIGALRM, is_slow)
    try:
        try:
            problem = _get(url)
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
    except TimeoutError:
        problem = f"no answer within {timeout} s"
    except OSError as error:
        problem = f"no answer: {error.strerror}"
    return Answer(int((time.monotonic() - began) * 1000), problem)


def _get(url: str) -> str:
    """What is wrong with the answer. As for the kubelet's probes, one that leads elsewhere is a
    good one, and nobody goes there.
    """
    server, _, path = url.removeprefix("http://").partition("/")
    host, _, port = server.partition(":")
    with socket.create_connection((host, int(port))) as connection:
        request = f"GET /{path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = connection.makefile("rb")
        status = answer.readline(200).decode(errors="replace").strip()
        if not status:
            return "no answer: the connection was closed"
        if not re.match(r"HTTP/1\.\d [23]\d\d\b", status):
            return f"no answer: {status}"
        # An answer that says no length ends with the connection.
        left = -1
        while (line := answer.readline(65536)).strip():
            if length := re.match(rb"(?i)content-length: *(\d{1,18})\s*$", line):
                left = int(length[1])
        while left and (some := answer.read1(65536)):
            left -= len(some)
        return "no answer: a part of it is missing" if left > 0 else ""
