"""What counts as an answer, and that a server which gives none is noticed while it has the
request."""

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from components.programs.asking import Answer, ask

Talk = Callable[[socket.socket], object]


@contextmanager
def server(talk: Talk, backlog: int = 8) -> Generator[str]:
    """The URL of a server that talks so to each who has asked."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        asked.append(connection.recv(65536))
                        talk(connection)
                except OSError:
                    # It is closed, or nobody listens any more.
                    if listener.fileno() < 0:
                        return

        asked: list[bytes] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/path?query"
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
    for request in asked:
        assert request.startswith(b"GET /path?query HTTP/1.1\r\nHost: 127.0.0.1:")


def never() -> None:
    raise AssertionError("it was not slow")


def answer_to(text: bytes) -> Answer:
    """What becomes of this answer."""
    with server(lambda connection: connection.sendall(text)) as url:
        return ask(url, 4, 5, never)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200\r\n\r\nHello",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nHi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\nHello",
        # As for the kubelet's probes.
        b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.invalid/\r\n\r\n",
    ],
)
def test_an_answer_is_good(text: bytes) -> None:
    answer = answer_to(text)
    assert answer.problem == ""
    assert 0 <= answer.took < 4000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "HTTP/1.1 503 Service Unavailable"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nHello", "HTTP/1.1 404 Not Found"),
        (b"", "the connection was closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello", "a part of it is missing"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"),
        (b"\xff" * 1_000_000, "�" * 200),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 2000 OK"),
    ],
)
def test_an_answer_is_none(text: bytes, problem: str) -> None:
    assert answer_to(text).problem == f"no answer: {problem}"


def test_a_server_that_is_not_there_is_known_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = ask(f"http://127.0.0.1:{port}/", 4, 5, never)
    assert answer.problem == "no answer: Connection refused"
    assert answer.took < 1000


def nothing(_connection: socket.socket) -> None:
    time.sleep(2)


def slowly(connection: socket.socket) -> None:
    """Something comes all the time, and no end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x" * 1000)
        time.sleep(0.01)


def in_the_head(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.01)


@pytest.mark.parametrize("talk", [nothing, slowly, in_the_head])
def test_a_server_that_does_not_come_to_an_end_is_late_and_then_missing(talk: Talk) -> None:
    seen: list[float] = []
    began = time.monotonic()
    with server(talk) as url:
        answer = ask(url, 0.3, 0.8, lambda: seen.append(time.monotonic() - began))
        assert answer.problem == "no answer within 0.8 s"
        assert 800 <= answer.took < 1200
    (late,) = seen
    assert 0.3 <= late < 0.6


def test_a_server_that_takes_nobody_any_more_is_late_and_then_missing() -> None:
    seen: list[int] = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        answer = ask(f"http://127.0.0.1:{port}/", 0.3, 0.8, lambda: seen.append(1))
        for each in waiting:
            each.close()
    assert answer.problem == "no answer within 0.8 s"
    assert seen == [1]


def test_a_slow_answer_is_one_and_its_server_has_the_request_when_it_is_late() -> None:
    late, done = threading.Event(), threading.Event()

    def talk(connection: socket.socket) -> None:
        assert late.wait(5)
        assert not done.is_set()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with server(talk) as url:
        answer = ask(url, 0.3, 3, late.set)
        done.set()
    assert answer.problem == ""
    assert 300 <= answer.took < 1500


def test_what_is_done_meanwhile_is_not_taken_from_the_servers_time() -> None:
    def talk(connection: socket.socket) -> None:
        time.sleep(0.6)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    with server(talk) as url:
        assert ask(url, 0.3, 0.5, lambda: time.sleep(0.5)).problem == ""


def test_the_next_request_has_all_its_time() -> None:
    with server(nothing) as url:
        ask(url, 0.1, 0.2, lambda: None)
    answer = answer_to(b"HTTP/1.1 200 OK\r\n\r\n")
    time.sleep(0.3)
    assert answer.problem == ""
