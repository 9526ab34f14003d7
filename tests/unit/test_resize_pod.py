"""The resizer's script, run for real: what it reads, decides, asks for, and does when refused."""

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.api_server import ApiServer
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

_NUMBERS = itertools.count()


class Cgroup:
    """The files of the cgroup, of version 1 or 2, of an app that takes what it wants and may."""

    def __init__(self, folder: Path, version: int = 2) -> None:
        self.folder, self.version = folder, version
        self.wanted = 0
        """Millicores."""
        self.allowed = 200
        self._used = 0.0
        self._over = threading.Event()
        for name in ("cpu", "cpuacct"):
            (folder / name).mkdir(parents=True)
        self.allow(200)
        self._account()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Cgroup":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def allow(self, millicores: int | None) -> None:
        """Let it have so much, or all."""
        self.allowed = millicores or 1_000_000
        quota, period = self.allowed * 100 if millicores else None, 100_000
        if self.version == 2:
            self._write("cpu.max", f"{quota or 'max'} {period}")
        else:
            self._write("cpu/cpu.cfs_period_us", f"{period}")
            self._write("cpu/cpu.cfs_quota_us", f"{quota or -1}")

    def _run(self) -> None:
        before = time.monotonic()
        while not self._over.wait(0.02):
            now = time.monotonic()
            self._used += (now - before) * min(self.wanted, self.allowed) / 1000
            self._account()
            before = now

    def _account(self) -> None:
        if self.version == 2:
            usec = int(self._used * 1e6)
            self._write("cpu.stat", f"nr_periods 1\nusage_usec {usec}\nuser_usec 1")
        else:
            self._write("cpuacct/cpuacct.usage", f"{int(self._used * 1e9)}")

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        new = file.with_suffix(".new")
        new.write_text(f"{text}\n")
        new.rename(file)


class Resizer:
    """The script, with an app whose cgroup is a folder and an API server that changes it."""

    def __init__(self, shell: Shell, server: ApiServer, cgroup: Cgroup, interval: int) -> None:
        self.shell, self.server, self.cgroup = shell, server, cgroup
        self.name = f"resized-{next(_NUMBERS)}"
        self.app = self.started()
        self.process = shell.start(
            "resize-pod",
            "resizer",
            *(50, 400, 50, interval, server.credentials, cgroup.folder),
            uses=["target", "cgroup", "api"],
            TARGET=self.name,
            KUBERNETES_SERVICE_HOST="127.0.0.1",
            KUBERNETES_SERVICE_PORT=str(server.port),
            POD_NAME="me",
            POD_NAMESPACE="here",
        )

    def started(self) -> subprocess.Popen[str]:
        """The app's main process, started anew."""
        return self.shell.run("sh", "-c", "sleep 300; : it", self.name)

    @property
    def log(self) -> str:
        return log_of(self.process)

    @property
    def asked(self) -> list[int]:
        """What it has asked for, in millicores."""
        found: list[int] = []
        for request in self.server.requests:
            (container,) = request.body["spec"]["containers"]
            amount = container["resources"]["limits"]["cpu"]
            assert container == {
                "name": self.name,
                "resources": {"requests": {"cpu": amount}, "limits": {"cpu": amount}},
            }
            found.append(int(amount.removesuffix("m")))
        return found

    def sees(self, millicores: int) -> None:
        """Wait until it has read the limit."""
        wait_for(lambda: f"may use {millicores}m" in self.log, 10)

    def asks(self, millicores: int, seconds: float = 10) -> None:
        """Wait until it asks for so much, and let it have that."""
        wait_for(lambda: self.asked[-1:] == [millicores], seconds)
        self.cgroup.allow(millicores)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with ApiServer(tmp_path) as server:
        yield server


@pytest.fixture
def cgroup(tmp_path: Path) -> Iterator[Cgroup]:
    with Cgroup(tmp_path / "cgroup") as cgroup:
        yield cgroup


@pytest.fixture
def resizer(shell: Shell, server: ApiServer, cgroup: Cgroup) -> Resizer:
    """One that looks every second, at an app that may use 200m."""
    return Resizer(shell, server, cgroup, 1)


def test_a_quiet_app_gets_the_least_by_the_subresource_of_its_pod(resizer: Resizer) -> None:
    resizer.asks(50)
    request = resizer.server.requests[0]
    assert request.line == "PATCH /api/v1/namespaces/here/pods/me/resize"
    assert request.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert request.headers["Authorization"] == "Bearer token-1"
    assert f"{resizer.name} uses 0m of 200m: resizing to 50m" in resizer.log
    resizer.sees(50)


@pytest.mark.parametrize("version", [1, 2])
def test_limits_follow_the_load_up_and_down_and_stay_within_the_bounds(
    shell: Shell, server: ApiServer, tmp_path: Path, version: int
) -> None:
    with Cgroup(tmp_path / "cgroup", version) as cgroup:
        resizer = Resizer(shell, server, cgroup, 1)
        resizer.asks(50)
        # What is held at its limit gets twice that.
        cgroup.wanted = 1000
        for wanted in (100, 200, 400):
            resizer.asks(wanted)
        # What is not gets what it uses and half of it more, in steps of 10m.
        cgroup.wanted = 100
        wait_for(lambda: 150 <= resizer.asked[-1] <= 160, 10)
        cgroup.allow(resizer.asked[-1])
        cgroup.wanted = 0
        resizer.asks(50)
        assert min(resizer.asked) == 50
        assert max(resizer.asked) == 400


def test_a_use_that_hardly_changes_costs_no_request(resizer: Resizer) -> None:
    # Of 200m that is more than half of the headroom less, and not a fifth too much.
    for wanted in (115, 125):
        resizer.cgroup.wanted = wanted
        time.sleep(2.5)
    assert resizer.asked == []


def test_a_limit_beyond_the_bounds_is_mended_at_once(
    shell: Shell, server: ApiServer, cgroup: Cgroup
) -> None:
    cgroup.allow(500)
    resizer = Resizer(shell, server, cgroup, 3600)
    resizer.asks(400)
    assert "uses an unknown part of 500m: resizing to 400m" in resizer.log


def test_an_app_without_a_limit_gets_one(shell: Shell, server: ApiServer, cgroup: Cgroup) -> None:
    cgroup.allow(None)
    Resizer(shell, server, cgroup, 3600).asks(400)


def test_a_refusal_is_logged_and_tried_again(resizer: Resizer) -> None:
    resizer.server.answers = [
        (403, "exceeded quota: quota, requested: limits.cpu=150m"),
        (422, "pod-resizer may resize no container but main-app"),
        (409, "the object has been modified"),
    ]
    wait_for(lambda: len(resizer.asked) >= 4, 15)
    for said in ("exceeded quota", "may resize no container", "has been modified"):
        assert said in resizer.log
    assert resizer.log.count("Trying again in 1 s") >= 3
    assert resizer.asked[:4] == [50] * 4
    assert resizer.process.poll() is None


def test_a_server_that_is_away_is_tried_at_growing_intervals(
    shell: Shell, server: ApiServer, cgroup: Cgroup
) -> None:
    server.stop()
    cgroup.allow(500)
    resizer = Resizer(shell, server, cgroup, 2)
    wait_for(lambda: resizer.log.count("Trying again in 2 s") >= 2, 15)
    assert resizer.log.count("Trying again in 1 s") == 1
    assert "curl: (7)" in resizer.log
    server.start()
    wait_for(lambda: resizer.asked, 10)
    assert resizer.process.poll() is None


def test_what_the_kubelet_puts_off_is_logged_and_asked_for_again(resizer: Resizer) -> None:
    condition = {
        "type": "PodResizePending",
        "observedGeneration": 2,
        "status": "True",
        "lastProbeTime": None,
        "reason": "Deferred",
        "message": "Node didn't have enough resource: cpu",
    }
    status = {"conditions": [{"type": "Ready", "status": "True"}, condition], "hostIP": "x"}
    resizer.server.pod = json.dumps({"kind": "Pod", "status": status}, separators=(",", ":"))
    wait_for(lambda: resizer.asked == [50, 50], 10)
    said = "The kubelet has not done it yet: Deferred: Node didn't have enough resource: cpu"
    wait_for(lambda: said in resizer.log)
    assert "Trying again" not in resizer.log


def test_what_is_put_off_and_not_wanted_any_more_is_taken_back(resizer: Resizer) -> None:
    resizer.cgroup.wanted = 1000
    wait_for(lambda: resizer.asked[-1:] == [400], 10)
    # What it has is in force still, and enough now.
    resizer.cgroup.wanted = 120
    wait_for(lambda: resizer.asked[-1:] == [200], 10)
    assert 50 not in resizer.asked


def test_an_app_that_starts_again_is_found_and_measured_again(resizer: Resizer) -> None:
    resizer.asks(50)
    resizer.app.kill()
    resizer.app.wait()
    wait_for(lambda: f"No process {resizer.name} to measure" in resizer.log, 10)
    resizer.cgroup.wanted = 1000
    resizer.started()
    resizer.asks(100, 20)


def test_a_cgroup_that_is_not_to_be_seen_is_said(
    shell: Shell, server: ApiServer, tmp_path: Path
) -> None:
    cgroup = Cgroup(tmp_path / "cgroup")
    (cgroup.folder / "cpu.max").unlink()
    resizer = Resizer(shell, server, cgroup, 1)
    wait_for(lambda: f"No process {resizer.name} to measure" in resizer.log, 10)
    assert resizer.process.poll() is None


def test_term_ends_the_resizer_within_a_second_even_in_a_request(resizer: Resizer) -> None:
    resizer.server.delay = 60
    wait_for(lambda: resizer.server.requests, 10)
    ends_within_a_second(resizer.process)
