"""What is fetched from a source that nobody trusts, and what ends it."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.programs import fetch as module
from components.programs.fetch import FetchError, fetch
from tests.unit.api_server import ApiServer

MOST = 100_000


class Source:
    """Takes connections, and answers each request with the next of these, or the last again."""

    def __init__(self, *answers: bytes | Callable[[socket.socket], None]) -> None:
        self.answers, self.requests = [*answers], list[bytes]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._answer(self.listener.accept()[0])

    def _answer(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self.requests.append(client.recv(65536))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, bytes):
                client.sendall(answer)
            else:
                answer(client)


@pytest.fixture
def serving() -> Iterator[Callable[..., Source]]:
    sources: list[Source] = []

    def start(*answers: bytes | Callable[[socket.socket], None]) -> Source:
        sources.append(Source(*answers))
        return sources[-1]

    yield start
    for source in sources:
        source.listener.close()


def ok(text: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode() + text


def moved(url: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


def why_not(url: str, file: Path, most: int = MOST) -> str:
    with pytest.raises(FetchError) as error:
        fetch(url, file, most)
    return str(error.value)


ANSWERS = {
    "its size told": ok(b"x" * MOST, f"Content-Length: {MOST}"),
    "until it closes": ok(b"x" * MOST),
    "in chunks": ok(
        b"%x\r\n" % MOST + b"x" * MOST + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"
    ),
    "HTTP 1.0": b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * MOST,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_however_it_is_sent_the_file_has_it(
    serving: Callable[..., Source], tmp_path: Path, answer: bytes
) -> None:
    fetch(f"{serving(answer).url}/it", tmp_path / "it", MOST)
    assert (tmp_path / "it").read_bytes() == b"x" * MOST
    assert why_not(f"{serving(answer).url}/it", tmp_path / "it", MOST - 1) == (
        f"it has more than {MOST - 1} bytes"
    )
    assert not (tmp_path / "it").exists() or (tmp_path / "it").stat().st_size < MOST


CUT = {
    "its size told": (ok(b"x" * 60, "Content-Length: 100"), "with 40 bytes remaining to read"),
    "in a chunk": (ok(b"64\r\n" + b"x" * 60, "Transfer-Encoding: chunked"), "before its end"),
    "before a chunk": (ok(b"2\r\nxx\r\n", "Transfer-Encoding: chunked"), "before its end"),
}


@pytest.mark.parametrize(("answer", "reason"), CUT.values(), ids=CUT.keys())
def test_what_is_cut_off_is_not_had(
    serving: Callable[..., Source], tmp_path: Path, answer: bytes, reason: str
) -> None:
    assert why_not(serving(answer).url, tmp_path / "it") == f"transfer closed {reason}"


def test_what_is_asked_for_is_what_the_url_says(
    serving: Callable[..., Source], tmp_path: Path
) -> None:
    source = serving(ok(b""))
    for path in ("", "/a%20b/{c}?d=[e]&f=%2f", "/ü?ß#part"):
        fetch(f"{source.url}{path}", tmp_path / "it", MOST)
    asked = [request.split(b"\r\n")[0].decode() for request in source.requests]
    assert asked == [
        "GET / HTTP/1.1",
        "GET /a%20b/{c}?d=[e]&f=%2f HTTP/1.1",
        "GET /%C3%BC?%C3%9F HTTP/1.1",
    ]
    host = source.url.removeprefix("http://").encode()
    assert all(b"\r\nHost: " + host + b"\r\n" in request for request in source.requests)
    assert all(b"\r\nAccept-Encoding: identity\r\n" in request for request in source.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(
    serving: Callable[..., Source], tmp_path: Path, status: int
) -> None:
    other = serving(ok(b"there"))
    source = serving(moved("/elsewhere?x", status), moved(f"{other.url}/it", status))
    fetch(f"{source.url}/a/b", tmp_path / "it", MOST)
    assert (tmp_path / "it").read_bytes() == b"there"
    assert [request.split()[1] for request in source.requests] == [b"/a/b", b"/elsewhere?x"]


def test_redirects_come_to_an_end(serving: Callable[..., Source], tmp_path: Path) -> None:
    source = serving(moved("/"))
    assert why_not(source.url, tmp_path / "it") == "more than 5 redirects"
    assert len(source.requests) == 6


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/it", "gopher:x"])
def test_redirects_lead_to_http_alone(
    serving: Callable[..., Source], tmp_path: Path, url: str
) -> None:
    source = serving(moved(url))
    assert why_not(source.url, tmp_path / "it") == "its URL is neither http nor https"


@pytest.mark.parametrize("status", [204, 304, 400, 404, 500, 503])
def test_another_answer_is_told_by_its_status(
    serving: Callable[..., Source], tmp_path: Path, status: int
) -> None:
    answer = f"HTTP/1.1 {status} Words\r\nContent-Length: 0\r\n\r\n".encode()
    if status == 204:
        fetch(serving(answer).url, tmp_path / "it", MOST)
    else:
        assert why_not(serving(answer).url, tmp_path / "it") == f"the source answers {status}"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000 + b"\r\n", "HTTPException"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 99999 + b"\r\n\r\n", "LineTooLong"),
    ],
)
def test_what_is_not_http_is_told_by_name(
    serving: Callable[..., Source], tmp_path: Path, answer: bytes, name: str
) -> None:
    reason = why_not(serving(answer).url, tmp_path / "it")
    assert reason == f"what the source sends is not HTTP: {name}"


def test_a_source_that_closes_without_an_answer_is_told(
    serving: Callable[..., Source], tmp_path: Path
) -> None:
    reason = why_not(serving(b"").url, tmp_path / "it")
    assert reason == "Remote end closed connection without response"


def test_over_tls_a_source_must_be_the_one_that_the_url_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApiServer(tmp_path) as server:
        url = f"https://127.0.0.1:{server.port}/it"
        assert "CERTIFICATE_VERIFY_FAILED" in why_not(url, tmp_path / "it")
        # Instead of the system's authorities.
        monkeypatch.setenv("SSL_CERT_FILE", str(server.credentials / "ca.crt"))
        assert why_not(url, tmp_path / "it") == "the source answers 501"
        assert "Hostname mismatch" in why_not(
            url.replace("127.0.0.1", "localhost"), tmp_path / "it"
        )


def test_a_port_where_nobody_listens_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    reason = why_not(f"http://127.0.0.1:{port}/it", tmp_path / "it")
    assert reason == f"no connection to 127.0.0.1 port {port}: Connection refused"


def test_a_name_that_nobody_knows_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object) -> socket.socket:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    reason = why_not("https://example.org/it", tmp_path / "it")
    assert reason == "Could not resolve host example.org: Name or service not known"


def test_a_name_that_cant_be_one_is_told(tmp_path: Path) -> None:
    assert why_not(f"http://{'x' * 64}/it", tmp_path / "it").startswith("no connection to xxx")


def test_a_lookup_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hangs(*_args: object) -> socket.socket:
        over.wait(60)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hangs)
    monkeypatch.setattr(module, "CONNECT", 1)
    started = time.monotonic()
    reason = why_not("http://example.org/it", tmp_path / "it")
    over.set()
    assert 0.9 < time.monotonic() - started < 2
    assert reason == "no connection to example.org port 80: timed out"


def trickle(start: bytes, what: bytes) -> Callable[[socket.socket], None]:
    """Send this first, and that every 50 ms."""

    def answer(client: socket.socket) -> None:
        client.sendall(start)
        for _ in range(200):
            client.sendall(what)
            time.sleep(0.05)

    return answer


SLOW = {
    "nothing": trickle(b"", b""),
    "an endless header": trickle(b"HTTP/1.1 200 OK\r\na: ", b"b"),
    "endless headers": trickle(b"HTTP/1.1 200 OK\r\n", b"a"),
    "answers before the answer": trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": trickle(ok(b"", "Content-Length: 90000"), b"b"),
    "chunks": trickle(ok(b"", "Transfer-Encoding: chunked"), b"1\r\nb\r\n"),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW.keys())
def test_a_source_that_sends_next_to_nothing_is_given_up(
    serving: Callable[..., Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    monkeypatch.setattr(module, "CONNECT", 1)
    started = time.monotonic()
    reason = why_not(serving(answer).url, tmp_path / "it")
    assert reason == "slower than 1024 bytes/s for 1 s"
    assert time.monotonic() - started < 4


def test_a_source_that_takes_its_time_but_sends_enough_is_waited_for_until_the_end(
    serving: Callable[..., Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    monkeypatch.setattr(module, "WHOLE", 2.5)
    started = time.monotonic()
    source = serving(trickle(ok(b""), b"x" * 400))
    assert why_not(source.url, tmp_path / "it") == "it takes more than 2.5 s"
    assert 2 < time.monotonic() - started < 4


def test_no_alarm_is_left(serving: Callable[..., Source], tmp_path: Path) -> None:
    for answer in (ok(b"x"), ok(b"x" * (MOST + 1)), b"", moved("/")):
        with contextlib.suppress(FetchError):
            fetch(serving(answer).url, tmp_path / "it", MOST)
        assert signal.alarm(0) == 0


def test_a_file_that_cant_be_written_is_told(
    serving: Callable[..., Source], tmp_path: Path
) -> None:
    reason = why_not(serving(ok(b"x")).url, tmp_path / "missing" / "it")
    assert reason == "No such file or directory"
