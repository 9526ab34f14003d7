"""What the sidecar of graceful shutdown promises, run for real, and its app under each shell."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from components.parts import script
from components.programs.changes import Changes
from components.programs.connections import in_flight
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (.*)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@dataclass
class Pod:
    """An app that stands in for nginx, and what it shares with the sidecar."""

    shell: Shell
    folder: Path
    server: socket.socket
    ready_port: int = field(default_factory=free_port)
    alive: int | None = None
    connections: list[socket.socket] = field(default_factory=list[socket.socket])

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def port(self) -> int:
        return self.server.getsockname()[1]

    def keeper(self, drain: int = 60) -> "subprocess.Popen[str]":
        args = (self.state, self.port, self.ready_port, drain, 60)
        process = self.shell.start("keep-drain", "drain-keeper", *args)
        wait_for(lambda: self.asked() is not None)
        return process

    def begin(self) -> None:
        """The app starts."""
        pipe = self.state / "alive"
        if not pipe.exists():
            os.mkfifo(pipe)
        self.alive = os.open(pipe, os.O_RDWR)
        for mark in ("draining", "stopping", "stopped"):
            (self.state / mark).unlink(missing_ok=True)
        self.says("started")

    def says(self, mark: str) -> None:
        (self.state / mark).write_text("\n")

    def ends(self, gracefully: bool = True) -> None:
        """The app ends."""
        if gracefully:
            self.says("stopped")
        assert self.alive is not None
        os.close(self.alive)
        self.alive = None

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port))
        self.connections += [client, self.server.accept()[0]]
        return client

    def disconnect(self) -> None:
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def answer(self, path: str, method: str = "GET") -> tuple[int, str] | None:
        """The status and text of the sidecar's answer, None if there is none."""
        url = f"http://127.0.0.1:{self.ready_port}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, method=method), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def asked(self) -> int | None:
        """The status of an answer to GET /ready, None if there is none."""
        answer = self.answer("/ready")
        return answer[0] if answer else None

    def client(self, text: bytes = b"") -> socket.socket:
        """Somebody who begins to ask the sidecar."""
        client = socket.create_connection(("127.0.0.1", self.ready_port), timeout=5)
        client.sendall(text)
        self.connections.append(client)
        return client


@pytest.fixture
def pod(host: Shell, tmp_path: Path) -> Iterator[Pod]:
    (tmp_path / "state").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        pod = Pod(host, tmp_path, server)
        pod.begin()
        yield pod
        pod.disconnect()


def said(process: "subprocess.Popen[str]") -> list[str]:
    """What the keeper has said, without the times."""
    found = [LINE.fullmatch(line) for line in log_of(process).splitlines()]
    assert all(found), log_of(process)
    return [match[2] for match in found if match]


def test_it_says_ready_until_the_pod_drains_and_not_a_moment_longer(pod: Pod) -> None:
    keeper = pod.keeper()
    assert pod.asked() == 200
    pod.says("draining")
    wait_for(lambda: pod.asked() == 404, 1)
    wait_for(lambda: said(keeper)[:2] == ["ready", "unready, 0 in flight"])


def test_it_tells_the_order_with_times_that_rise(pod: Pod) -> None:
    keeper = pod.keeper()
    for _ in range(2):
        pod.connect()
    pod.says("draining")
    wait_for(lambda: said(keeper)[-1] == "unready, 2 in flight")
    pod.says("stopping")
    wait_for(lambda: said(keeper)[-1] == "preStop over, 2 in flight")
    pod.disconnect()
    wait_for(lambda: said(keeper)[-1] == "0 in flight")
    pod.ends()
    wait_for(lambda: said(keeper)[-1] == "app ended")
    ends_within_a_second(keeper)
    assert said(keeper)[-1] == "keeper ends"
    times = [line[:23] for line in log_of(keeper).splitlines()]
    assert times == sorted(times)


def test_an_app_that_takes_all_its_time_has_cut_requests_off(pod: Pod) -> None:
    keeper = pod.keeper(drain=1)
    pod.connect()
    pod.says("draining")
    pod.says("stopping")
    wait_for(lambda: "preStop over, 1 in flight" in said(keeper))
    time.sleep(1)
    pod.ends()
    pod.disconnect()
    wait_for(lambda: said(keeper)[-1] == "app ended, its 1 s were over: 1 in flight cut off")


def test_the_steps_of_clocks_make_no_app_faster(pod: Pod) -> None:
    keeper = pod.keeper(drain=10)
    pod.connect()
    pod.says("draining")
    pod.says("stopping")
    wait_for(lambda: said(keeper)[-1] == "preStop over, 1 in flight")
    pod.says("stopped")
    begun = (pod.state / "stopping").stat().st_mtime_ns
    os.utime(pod.state / "stopped", ns=(begun, begun + 9_996_000_000))
    pod.ends(gracefully=False)
    wait_for(lambda: said(keeper)[-1] == "app ended, its 10 s were over: 1 in flight cut off")


@pytest.mark.parametrize("told", [True, False])
def test_an_app_that_is_killed_is_said_to_be(pod: Pod, told: bool) -> None:
    keeper = pod.keeper()
    pod.connect()
    pod.says("draining")
    if told:
        pod.says("stopping")
    last = "preStop over" if told else "unready"
    wait_for(lambda: said(keeper)[-1] == f"{last}, 1 in flight")
    pod.ends(gracefully=False)
    wait_for(lambda: said(keeper)[-1] == "app was killed, 1 in flight")


def test_whatever_stands_in_the_place_of_the_pipe_the_report_comes(pod: Pod) -> None:
    keeper = pod.keeper()
    (pod.state / "alive").unlink()
    (pod.state / "alive").mkdir()
    for mark in ("stopping", "stopped", "draining"):
        pod.says(mark)
    wait_for(lambda: said(keeper)[-1] == "app ended")
    ends_within_a_second(keeper)


def test_one_that_starts_in_a_pod_that_drains_never_says_ready(pod: Pod) -> None:
    first = pod.keeper()
    pod.says("draining")
    wait_for(lambda: pod.asked() == 404)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    keeper = pod.keeper()
    wait_for(lambda: said(keeper) == ["unready, 0 in flight"])
    assert pod.asked() == 404


def test_an_app_that_starts_again_in_a_pod_that_stays_is_ready_again(pod: Pod) -> None:
    keeper = pod.keeper()
    for _ in range(2):
        pod.says("draining")
        wait_for(lambda: pod.asked() == 404)
        pod.ends(gracefully=False)
        wait_for(lambda: said(keeper)[-1].startswith("app was killed"))
        pod.begin()
        wait_for(lambda: pod.asked() == 200)
        wait_for(lambda: said(keeper)[-1] == "ready again")
    ends_within_a_second(keeper)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_it_ends_within_a_second_while_the_app_serves(pod: Pod, told: signal.Signals) -> None:
    ends_within_a_second(pod.keeper(), told)


def test_one_that_is_told_to_end_with_the_app_ends_after_it(pod: Pod) -> None:
    keeper = pod.keeper()
    pod.says("draining")
    wait_for(lambda: "unready, 0 in flight" in said(keeper))
    keeper.terminate()
    pod.says("stopping")
    wait_for(lambda: "preStop over, 0 in flight" in said(keeper))
    assert keeper.poll() is None
    pod.ends()
    assert keeper.wait(timeout=5) == 0
    assert said(keeper)[-2:] == ["app ended", "keeper ends"]


def test_it_counts_when_it_is_asked_to(pod: Pod) -> None:
    pod.keeper()
    for count in (1, 2):
        pod.connect()
        assert pod.answer("/in-flight") == (200, f"{count}\n")
    pod.disconnect()
    assert pod.answer("/in-flight") == (200, "0\n")


def test_it_answers_as_a_server_does(pod: Pod) -> None:
    pod.keeper()
    assert pod.answer("/ready") == (200, "ready\n")
    assert pod.answer("/ready?from=probe") == (200, "ready\n")
    assert pod.answer("/ready", "HEAD") == (200, "")
    assert pod.answer("/") == (404, "Not found\n")
    pod.says("draining")
    wait_for(lambda: pod.answer("/ready") == (404, "Not found\n"), 1)


def test_silent_and_slow_clients_delay_nobody(pod: Pod) -> None:
    keeper = pod.keeper()
    for _ in range(100):
        pod.client()
        pod.client(b"GET /rea")
    started = time.monotonic()
    assert pod.asked() == 200
    pod.says("draining")
    wait_for(lambda: pod.asked() == 404, 1)
    assert time.monotonic() - started < 1
    wait_for(lambda: said(keeper) == ["ready", "unready, 0 in flight"])


def test_a_request_may_come_in_parts(pod: Pod) -> None:
    pod.keeper()
    client = pod.client(b"GET /ready HT")
    time.sleep(0.1)
    assert pod.asked() == 200
    client.sendall(b"TP/1.1\r\nHost: it\r\n\r")
    time.sleep(0.1)
    client.sendall(b"\n")
    assert b"".join(iter(lambda: client.recv(99), b"")).endswith(b"\r\n\r\nready\n")


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"x" * 20000])
def test_what_is_no_request_harms_nobody(pod: Pod, text: bytes) -> None:
    keeper = pod.keeper()
    client = pod.client()
    try:
        client.sendall(text)
        seen = client.recv(99)
    except ConnectionError:
        seen = b""
    assert seen == b"" or seen.startswith(b"HTTP/1.1 404 ")
    # One that breaks off, with a reset.
    hasty = pod.client(b"GET /ready HTTP/1.1\r\n\r\n")
    hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    hasty.close()
    assert pod.asked() == 200
    assert said(keeper) == ["ready"]


def test_without_a_watch_it_looks_whenever_it_is_asked(pod: Pod) -> None:
    pod.state.rename(pod.folder / "away")
    keeper = pod.keeper()
    assert f"cannot watch {pod.state}: No such file or directory" in log_of(keeper)
    (pod.folder / "away").rename(pod.state)
    pod.says("draining")
    assert pod.asked() == 404
    wait_for(lambda: log_of(keeper).endswith(" unready, 0 in flight\n"))
    ended = time.monotonic()
    pod.ends()
    wait_for(lambda: log_of(keeper).endswith(" app ended\n"))
    assert time.monotonic() - ended < 1.5


def test_a_node_without_room_for_a_watch_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Full:
        """What the C library answers then."""

        def inotify_init1(self, _flags: int) -> int:
            return -1

        def inotify_add_watch(self, _descriptor: int, _path: bytes, _mask: int) -> int:
            return -1

    def library(*_args: object, **_more: object) -> Full:
        return Full()

    monkeypatch.setattr("ctypes.CDLL", library)
    changes = Changes(tmp_path)
    assert f"cannot watch {tmp_path}" in capfd.readouterr().err
    started = time.monotonic()
    changes.wait(0.2)
    assert time.monotonic() - started >= 0.2


def test_it_waits_for_what_happens_and_does_not_look_all_the_time(pod: Pod) -> None:
    keeper = pod.keeper()
    pod.client(b"GET /rea")
    pod.says("draining")
    wait_for(lambda: "unready, 0 in flight" in said(keeper))
    keeper.terminate()
    pod.ends()
    before = cpu(keeper)
    time.sleep(1)
    assert cpu(keeper) - before <= 0.05


def cpu(process: "subprocess.Popen[str]") -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_one_that_cannot_answer_ends_and_says_so(pod: Pod) -> None:
    with socket.create_server(("0.0.0.0", pod.ready_port)):
        args = (pod.state, pod.port, pod.ready_port, 60, 60)
        keeper = pod.shell.start("keep-drain", "drain-keeper", *args)
        assert keeper.wait(timeout=10) == 1
    assert f"Nothing answers at port {pod.ready_port}" in log_of(keeper)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_client_counts_until_it_has_its_whole_answer(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    port: int = server.getsockname()[1]
    assert in_flight(port) == 0
    client = socket.create_connection((address, port))
    # Before the app has accepted it, too.
    assert in_flight(port) == 1
    accepted, _ = server.accept()
    # One who asks and sends no more still waits.
    client.shutdown(socket.SHUT_WR)
    assert in_flight(port) == 1
    accepted.close()
    client.close()
    assert in_flight(port) == 0
    server.close()


def test_a_client_that_the_kernel_shows_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    first, second = (f"  1: 0100007F:1F90 0100007F:89C{number} 01 0:0 0:0\n" for number in (1, 2))
    other = "  1: 0100007F:1F91 0100007F:1F90 01 0:0 0:0\n"
    ended = "  1: 0100007F:1F90 0100007F:89C3 06 0:0 0:0\n"
    (tmp_path / "tcp").write_text(f"{head}{first}{second}{second}{other}{ended}{first}")
    monkeypatch.setattr(
        "components.programs.connections.TABLES", [tmp_path / "tcp", tmp_path / "missing"]
    )
    assert in_flight(8080) == 2


NGINX = """#!{python}
import signal, sys, time
def quit(*_):
    time.sleep({takes})
    sys.exit({code})
signal.signal(signal.SIGQUIT, quit)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(99))
open({started!r}, "w").close()
while True:
    time.sleep(60)
"""


@dataclass
class App:
    """The app's script, with something in nginx's place."""

    shell: Shell
    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def start(self, takes: float = 0, code: int = 0) -> "subprocess.Popen[str]":
        program = self.folder / "bin" / "nginx"
        started = str(self.folder / "nginx-started")
        text = NGINX.format(takes=takes, code=code, started=started, python=sys.executable)
        program.write_text(text)
        program.chmod(0o755)
        script_text = script("serve-drained", "x", uses=["nginx"])[2]
        script_text = script_text.replace("/tmp/", f"{self.folder}/tmp/")
        args = (self.state, 8080, 2, 7)
        process = self.shell.run("sh", "-c", script_text, "main-app", *map(str, args))
        wait_for(lambda: (self.folder / "nginx-started").exists())
        return process


@pytest.fixture
def app(shell: Shell, tmp_path: Path) -> App:
    for name in ("bin", "state", "tmp"):
        (tmp_path / name).mkdir()
    shell.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{shell.env['PATH']}"
    return App(shell, tmp_path)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_an_app_that_is_told_to_end_lets_nginx_finish(app: App, told: signal.Signals) -> None:
    process = app.start(takes=1)
    process.send_signal(told)
    wait_for((app.state / "stopping").exists)
    assert process.poll() is None
    assert not (app.state / "stopped").exists()
    # nginx has got QUIT, which TERM would not be.
    assert process.wait(timeout=5) == 0
    assert (app.state / "stopped").exists()


def test_an_nginx_that_fails_is_no_graceful_end(app: App) -> None:
    process = app.start(code=3)
    process.terminate()
    assert process.wait(timeout=5) != 0
    assert not (app.state / "stopped").exists()


def test_an_app_that_starts_again_does_not_drain_any_more(app: App) -> None:
    for mark in ("draining", "stopping", "stopped"):
        (app.state / mark).touch()
    app.start()
    assert sorted(file.name for file in app.state.iterdir()) == ["alive", "started"]


def test_the_pipe_is_open_as_long_as_nginx_runs(app: App) -> None:
    process = app.start()
    # A kill of the script alone leaves nginx, which holds it too.
    process.kill()
    process.wait()
    reader = os.open(app.state / "alive", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    os.killpg(process.pid, signal.SIGKILL)
    wait_for(lambda: _at_end(reader))
    os.close(reader)


def _at_end(reader: int) -> bool:
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:
        return False


def test_nginx_is_given_the_time_that_the_pod_is(app: App) -> None:
    app.start()
    text = (app.folder / "tmp" / "nginx.conf").read_text()
    assert "worker_shutdown_timeout 7s;" in text
    assert text.count("keepalive_timeout 0;") == 2
    # At a KiB a second, and the first at once.
    assert (app.folder / "tmp" / "slow").stat().st_size == 3 * 1024
