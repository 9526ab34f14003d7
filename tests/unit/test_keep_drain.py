"""What the sidecar of graceful shutdown promises, run for real under each shell."""

import os
import re
import shutil
import signal
import socket
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
        text = script("keep-drain", "x", uses=["watch", "in-flight"])[2]
        # A /tmp of this test's.
        text = text.replace("/tmp/", f"{self.folder}/tmp/")
        args = (self.state, self.port, self.ready_port, drain, 60)
        process = self.shell.run("sh", "-c", text, "drain-keeper", *map(str, args))
        wait_for(lambda: self.asked() is not None)
        # A watch takes a moment to begin.
        time.sleep(0.5)
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

    def asked(self) -> int | None:
        """The status of an answer to GET /ready, None if there is none."""
        url = f"http://127.0.0.1:{self.ready_port}/ready"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None


@pytest.fixture
def pod(with_watcher: Shell, tmp_path: Path) -> Iterator[Pod]:
    busybox = shutil.which("busybox")
    assert busybox
    (tmp_path / "bin" / "httpd").symlink_to(busybox)
    for name in ("state", "tmp"):
        (tmp_path / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        pod = Pod(with_watcher, tmp_path, server)
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
    file = pod.folder / "tmp" / "site" / "in-flight"
    for count in (1, 2):
        pod.connect()
        pod.says("asked")
        wait_for(lambda count=count: file.read_text() == f"{count}\n")
    pod.disconnect()
    pod.says("asked")
    wait_for(lambda: file.read_text() == "0\n")


def test_one_that_cannot_answer_ends_and_says_so(pod: Pod) -> None:
    with socket.create_server(("0.0.0.0", pod.ready_port)):
        text = script("keep-drain", "x", uses=["watch", "in-flight"])[2]
        text = text.replace("/tmp/", f"{pod.folder}/tmp/")
        args = (pod.state, pod.port, pod.ready_port, 60, 60)
        keeper = pod.shell.run("sh", "-c", text, "x", *map(str, args))
        assert keeper.wait(timeout=10) == 1
    assert f"Nothing answers at port {pod.ready_port}" in log_of(keeper)


def counted(shell: Shell, port: int) -> str:
    library = script("keep-drain", "x", uses=["in-flight"])[2].partition("# say TEXT")[0]
    process = shell.run("sh", "-c", f"{library}\nin_flight {port}", "x")
    process.wait(timeout=10)
    return log_of(process)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_counts_until_it_has_its_whole_answer(shell: Shell, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    port: int = server.getsockname()[1]
    assert counted(shell, port) == "0\n"
    client = socket.create_connection((host, port))
    # Before the app has accepted it, too.
    assert counted(shell, port) == "1\n"
    accepted, _ = server.accept()
    # One who asks and sends no more still waits.
    client.shutdown(socket.SHUT_WR)
    assert counted(shell, port) == "1\n"
    accepted.close()
    client.close()
    assert counted(shell, port) == "0\n"
    server.close()


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
