"""The resizer's program, run for real: what it reads, decides, asks for, and does when refused."""

import itertools
import json
import os
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.parts import program
from components.programs.resize_pod import fitting, unfinished
from tests.unit.api_server import ApiServer
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

_NUMBERS = itertools.count()


_CLOCK = """
import socket, time

def ask(seconds):
    with socket.create_connection(("127.0.0.1", {port})) as clock:
        clock.sendall(b"%r\\n" % float(seconds))
        return float(clock.makefile().readline())

time.sleep, time.clock_gettime = ask, lambda _: ask(0)
"""


class Account:
    """A folder like /proc, with the processes of an app that takes what it wants and may, and the
    clock of that machine: it stands still until the program sleeps and the test lets it pass.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wanted = 0
        """Millicores."""
        self.allowed = 200
        self.pid = 0
        """The app's main process; a child takes the CPU, and its ended children have."""
        self.now = 1000.0
        """Seconds since the machine's start."""
        self.asleep = 0.0
        """Seconds that the program has yet to sleep."""
        self._ticks = 0.0
        self._changed = threading.Condition()
        outer = self

        class Clock(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer._sleep(float(self.rfile.readline()))
                self.wfile.write(f"{outer.now!r}\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, request: object, client_address: object) -> None:
                """A program that is ended in its sleep is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Clock)
        self.clock = _CLOCK.format(port=self._server.server_address[1])
        """What a program begins with to live by it."""

    def __enter__(self) -> "Account":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def show(self, pid: int) -> None:
        """Let the app be this process, which has used nothing yet."""
        self._ticks, self.pid = 0, pid
        self._account()

    def advance(self) -> None:
        """Let the time pass that the program sleeps, as soon as it does."""
        wait_for(lambda: self.asleep, 10)
        self.now += self.asleep
        self._ticks += self.asleep * min(self.wanted, self.allowed) / 10
        self._account()
        with self._changed:
            self.asleep = 0
            self._changed.notify_all()

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self.asleep = seconds
            self._changed.wait_for(lambda: not self.asleep)

    def _account(self) -> None:
        parts = [int(self._ticks) // 4] * 3
        parts.append(int(self._ticks) - sum(parts))
        group, other = "0::/../app", "0::/../other"
        self._write(self.pid, group, "sh", [0, 0, 0, 0])
        self._write(700_001, group, "a (strange) name", [parts[0], 0, 0, 0])
        self._write(700_002, group, "dd", [0, *parts[1:]])
        self._write(700_003, other, "busy", [10_000 * int(self.now), 7, 7, 7])

    def _write(self, pid: int, group: str, name: str, ticks: list[int]) -> None:
        process = self.folder / str(pid)
        process.mkdir(parents=True, exist_ok=True)
        spent = " ".join(map(str, ticks))
        fields = f"{pid} ({name}) S 1 1 1 0 -1 4194560 1 2 3 4 {spent} 20 0 1 0 4711 1 2 3"
        for file, text in (("cgroup", f"{group}\n1:name=x:/"), ("stat", fields)):
            (process / file).write_text(f"{text}\n")


class Resizer:
    """The program, with an app that is accounted for and an API server that resizes it."""

    def __init__(
        self, host: Shell, server: ApiServer, account: Account, interval: int, limit: int = 200
    ) -> None:
        self.host, self.server, self.account = host, server, account
        # Other workers of the tests have theirs at the same time.
        self.name = f"resized-{os.getpid()}-{next(_NUMBERS)}"
        self.account.allowed = limit
        self.app = self.started()
        *python, text, name = program("resize-pod", "resizer")
        arguments = (50, 400, 50, interval, server.credentials, account.folder)
        self.process = host.run(
            *(*python, account.clock + text, name, *map(str, arguments)),
            MEASURED=self.name,
            CPU_LIMIT=str(limit),
            KUBERNETES_SERVICE_HOST="127.0.0.1",
            KUBERNETES_SERVICE_PORT=str(server.port),
            POD_NAME="me",
            POD_NAMESPACE="here",
        )

    def started(self) -> subprocess.Popen[str]:
        """The app's main process, started anew."""
        process = self.host.run("sh", "-c", "sleep 300; : it", self.name)
        self.account.show(process.pid)
        return process

    @property
    def log(self) -> str:
        return log_of(self.process)

    @property
    def asked(self) -> list[int]:
        """What it has asked for, in millicores."""
        found: list[int] = []
        for request in list(self.server.requests):
            (container,) = request.body["spec"]["containers"]
            amount = container["resources"]["limits"]["cpu"]
            assert container == {
                "name": self.name,
                "resources": {"requests": {"cpu": amount}, "limits": {"cpu": amount}},
            }
            found.append(int(amount.removesuffix("m")))
        return found

    def until(self, condition: Callable[[], object]) -> None:
        """Let time pass, for ten looks of the program at most, until that is so."""
        for _ in range(10):
            wait_for(lambda: condition() or self.account.asleep, 10)
            if condition():
                return
            self.account.advance()
        wait_for(condition, 10)

    def asks(self, millicores: int) -> None:
        """Wait until it asks for so much, and let it have that."""
        self.until(lambda: self.asked[-1:] == [millicores])
        self.account.allowed = millicores

    def says(self, text: str) -> None:
        self.until(lambda: text in self.log)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with ApiServer(tmp_path) as server:
        yield server


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(tmp_path / "proc") as account:
        yield account


@pytest.fixture
def resizer(host: Shell, server: ApiServer, account: Account) -> Resizer:
    """One that looks every second, at an app that may use 200m."""
    return Resizer(host, server, account, 1)


def test_a_quiet_app_gets_the_least_by_the_subresource_of_its_pod(resizer: Resizer) -> None:
    resizer.asks(50)
    request = resizer.server.requests[0]
    assert request.line == "PATCH /api/v1/namespaces/here/pods/me/resize"
    assert request.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert f"{resizer.name} uses 0 of 200 millicores: asking for 50" in resizer.log
    resizer.says(f"{resizer.name} has 50 millicores")


def test_limits_follow_the_load_up_and_down_and_stay_within_the_bounds(resizer: Resizer) -> None:
    resizer.asks(50)
    # What is held at its limit gets twice that.
    resizer.account.wanted = 1000
    for wanted in (100, 200, 400):
        resizer.asks(wanted)
    # What is not gets what it uses and half of it more, in steps of 10m.
    resizer.account.wanted = 100
    resizer.asks(150)
    resizer.account.wanted = 0
    resizer.asks(50)
    assert (min(resizer.asked), max(resizer.asked)) == (50, 400)


def test_a_use_that_hardly_changes_costs_no_request(resizer: Resizer) -> None:
    # Of 200m that leaves more than half of the headroom, and is not a fifth too much.
    for wanted in (130, 138):
        resizer.account.wanted = wanted
        for _ in range(3):
            resizer.account.advance()
    wait_for(lambda: resizer.account.asleep)
    assert resizer.asked == []


def test_what_is_done_is_asked_for_twice_and_then_no_more(resizer: Resizer) -> None:
    resizer.says(f"{resizer.name} has 50 millicores")
    for _ in range(3):
        resizer.account.advance()
    wait_for(lambda: resizer.account.asleep)
    assert resizer.asked == [50, 50]


def test_a_limit_beyond_the_bounds_is_mended_at_once(
    host: Shell, server: ApiServer, account: Account
) -> None:
    resizer = Resizer(host, server, account, 3600, limit=500)
    wait_for(lambda: resizer.asked == [400], 10)
    assert "uses an unknown part of 500 millicores: asking for 400" in resizer.log


def test_a_refusal_is_logged_and_tried_again(resizer: Resizer) -> None:
    resizer.server.answers = [
        (403, "exceeded quota: quota, requested: limits.cpu=150m"),
        (422, "pod-resizer may resize no container but main-app"),
        (409, "the object has been modified"),
    ]
    resizer.until(lambda: len(resizer.asked) == 4)
    for said in ("exceeded quota", "may resize no container", "has been modified"):
        assert said in resizer.log
    for code in (403, 422, 409):
        assert f"The requested URL returned error: {code}" in resizer.log
    assert resizer.log.count("Trying again in 1 s") == 3
    assert resizer.asked == [50] * 4
    assert resizer.process.poll() is None


def test_what_became_of_a_request_without_an_answer_is_found_out(resizer: Resizer) -> None:
    resizer.server.answers = [(500, "done, and nobody has heard of it")] * 2
    resizer.until(lambda: resizer.asked == [50])
    # It would be content with what it believes the app to have.
    resizer.account.wanted = 140
    resizer.asks(200)


def test_a_server_that_is_away_is_tried_at_growing_intervals(
    host: Shell, server: ApiServer, account: Account
) -> None:
    server.stop()
    resizer = Resizer(host, server, account, 2, limit=500)
    resizer.until(lambda: resizer.log.count("Trying again in 2 s") == 2)
    assert resizer.log.count("Trying again in 1 s") == 1
    failed = f"The request to 127.0.0.1 port {server.port} failed: "
    assert re.search(f"{failed}.*Connection refused", resizer.log)
    server.start()
    resizer.until(lambda: resizer.asked)
    assert resizer.process.poll() is None


def test_the_token_is_read_again_for_each_request(resizer: Resizer) -> None:
    resizer.until(lambda: resizer.asked)
    (resizer.server.credentials / "token").write_text("token-2\n")
    resizer.until(lambda: len(resizer.asked) == 2)
    sent = [request.headers["Authorization"] for request in resizer.server.requests]
    assert sent == ["Bearer token-1", "Bearer token-2"]


def test_credentials_that_can_not_be_read_are_said_and_tried_again(
    host: Shell, server: ApiServer, account: Account
) -> None:
    token, ca = server.credentials / "token", server.credentials / "ca.crt"
    good = ca.read_bytes()
    token.unlink()
    resizer = Resizer(host, server, account, 1, limit=500)
    resizer.says(f"No such file or directory: '{token}'")
    ca.write_text("no certificate")
    token.write_text("a secret\nof two lines, \xe4\u20ac")
    count = resizer.log.count("Trying again")
    resizer.until(lambda: resizer.log.count("Trying again") == count + 2)
    ca.write_bytes(good)
    resizer.says("codec can't encode")
    token.write_text("a secret\nof two lines")
    resizer.until(lambda: resizer.asked)
    assert "secret" not in resizer.log.replace(str(token), "")
    assert resizer.process.poll() is None


def test_the_resizer_trusts_no_other_server(
    host: Shell, server: ApiServer, account: Account, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with ApiServer(tmp_path / "other") as stranger:
        shutil.copy(stranger.credentials / "ca.crt", server.credentials / "ca.crt")
    resizer = Resizer(host, server, account, 1, limit=500)
    resizer.says("certificate verify failed: unable to get local issuer certificate")
    assert server.requests == []


def test_a_check_sends_the_same_and_nothing_comes_of_it(host: Shell, server: ApiServer) -> None:
    server.answers = [(422, "no")]
    process = host.start(
        "try-patch",
        "verify",
        *(server.credentials, "other/resize", '{"spec": {}}'),
        KUBERNETES_SERVICE_HOST="127.0.0.1",
        KUBERNETES_SERVICE_PORT=str(server.port),
        POD_NAMESPACE="here",
    )
    assert process.wait(timeout=10) == 0
    (request,) = server.requests
    assert request.line == "PATCH /api/v1/namespaces/here/pods/other/resize?dryRun=All"
    assert request.body == {"spec": {}}
    assert log_of(process).splitlines()[0] == '{"kind": "Status", "message": "no"}'
    assert log_of(process).splitlines()[-1] == "422"


@pytest.mark.parametrize(
    ("use", "limit", "expected"),
    [
        (None, 500, 500),
        (0, 200, 0),
        # What it uses and half of that, in steps of ten, up to four fifths of the limit.
        (41, 200, 70),
        (100, 200, 150),
        (105, 200, 200),
        # Less than half of the headroom is left.
        (159, 200, 200),
        (160, 200, 400),
    ],
)
def test_what_an_app_is_to_get_follows_from_what_it_uses(
    use: int | None, limit: int, expected: int
) -> None:
    assert fitting(use, limit, 50) == expected


@pytest.mark.parametrize(
    "answer", ["", "no JSON", "[]", '{"kind":"Status","status":"Success"}', '{"status":{}}']
)
def test_an_answer_without_conditions_leaves_nothing_to_do(answer: str) -> None:
    assert unfinished(answer) == []


def pod(*conditions: dict[str, object]) -> str:
    """A pod as the API server answers it."""
    status = {"conditions": [{"type": "Ready", "status": "True"}, *conditions], "hostIP": "x"}
    return json.dumps({"kind": "Pod", "status": status}, separators=(",", ":"))


def test_what_the_kubelet_puts_off_is_logged_and_asked_for_until_it_is_done(
    resizer: Resizer,
) -> None:
    condition: dict[str, object] = {
        "type": "PodResizePending",
        "observedGeneration": 2,
        "status": "True",
        "lastProbeTime": None,
        "reason": "Deferred",
        "message": "Node didn't have enough resource: cpu",
    }
    resizer.server.pod = pod(condition)
    resizer.until(lambda: resizer.asked == [50, 50, 50])
    resizer.says("The kubelet has not done it yet: Deferred: Node didn't have enough resource: cpu")
    assert "Trying again" not in resizer.log
    assert "has 50" not in resizer.log
    # It is at it now, and has no more to say of it.
    resizer.server.pod = pod({"type": "PodResizeInProgress", "status": "True"})
    resizer.account.advance()
    wait_for(lambda: resizer.account.asleep)
    assert "has 50" not in resizer.log
    resizer.server.pod = pod()
    resizer.says(f"{resizer.name} has 50 millicores")


def test_what_is_put_off_and_not_wanted_any_more_is_taken_back(resizer: Resizer) -> None:
    resizer.account.wanted = 1000
    resizer.until(lambda: resizer.asked[-1:] == [400])
    # What is in force is what it had.
    resizer.account.wanted = 0
    resizer.asks(50)


def test_an_app_that_starts_again_is_found_and_measured_again(resizer: Resizer) -> None:
    resizer.asks(50)
    resizer.app.kill()
    resizer.app.wait()
    resizer.says(f"No process {resizer.name} to measure")
    resizer.account.wanted = 1000
    resizer.started()
    resizer.asks(100)


def test_an_account_that_is_not_to_be_seen_is_said(resizer: Resizer, tmp_path: Path) -> None:
    resizer.account.folder = resizer.account.folder.rename(tmp_path / "gone")
    resizer.says(f"No process {resizer.name} to measure")
    assert resizer.process.poll() is None


def test_term_ends_the_resizer_within_a_second_even_in_a_request(resizer: Resizer) -> None:
    resizer.server.delay = 60
    resizer.until(lambda: resizer.server.requests)
    ends_within_a_second(resizer.process)
