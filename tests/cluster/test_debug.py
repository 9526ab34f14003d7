"""A toolbox sees and traces an app until its deadline, and the app does not notice."""

import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from components.checks import parse_date
from components.debug import FILE
from tests.cluster.faults import Process, kill, processes, sandbox, within
from tests.cluster.patched import applied, container
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("debug")

DEMO = "debug"
INTERVAL = 2
PACE = 4
"""Seconds within which the app prints a date that it prints each second, on a busy node."""
LATE = 8
"""Seconds that ending sessions may take, and hearing of it, on a busy node."""


def uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


@dataclass(frozen=True)
class App:
    """What must be the same before and after."""

    uid: str
    process: Process
    held: str


class Demo:
    """A pod of the demo, and those who look into it."""

    def __init__(self, cluster: Cluster, project: Project, deadline: int) -> None:
        self.cluster, self.project = cluster, project
        options = {"intervalSeconds": INTERVAL, "appIntervalSeconds": 1}
        project.configure(
            demos={DEMO: {"toolbox": True, "deadlineSeconds": deadline, **options}},
        )
        project.up()
        self.closes = sandbox(self.pod).started / 100 + deadline
        """When, in seconds after the machine's start."""

    @property
    def pod(self) -> Any:
        return self.cluster.pod(self.project.namespace, DEMO)

    @property
    def app(self) -> App:
        pod = self.pod
        held = self.run("main-app", f"cat {FILE}")
        return App(pod.metadata.uid, processes(pod)["main-app"], held)

    @property
    def pid(self) -> str:
        """The app's process, as the toolbox's log names it."""
        line = within(30, lambda: self.said("main-app is process "))
        return line.removeprefix("main-app is process ").partition(",")[0]

    def said(self, start: str) -> str:
        lines = self.cluster.log(self.project.namespace, DEMO, "toolbox").splitlines()
        return next((line for line in lines if line.startswith(start)), "")

    def run(self, container: str, command: str) -> str:
        return self.cluster.run(self.project.namespace, DEMO, container, command)

    def state(self) -> str:
        """The state of the app's main process."""
        line = self.run("main-app", f"grep State /proc/{self.pid}/status")
        return line.split()[1]

    def left(self) -> float:
        return self.closes - uptime()

    @contextmanager
    def session(self, *command: str) -> Generator[subprocess.Popen[str]]:
        words = ("kubectl", "-n", self.project.namespace, "exec", f"deployment/{DEMO}-demo")
        session = subprocess.Popen(
            [*words, "-c", "toolbox", "--", *command],
            env=self.project.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield session
        finally:
            session.kill()
            session.communicate()

    def widest_gap(self) -> float:
        """Seconds between two dates of the app's log that are furthest apart."""
        log = self.cluster.log(self.project.namespace, DEMO, "main-app")
        dates = [date for line in log.splitlines() if (date := parse_date(line))]
        assert len(dates) > 5
        return max(later - date for date, later in pairwise(dates))


@pytest.fixture
def demo(local_cluster: Cluster, project: Project) -> Callable[[int], Demo]:
    """Deploys the demo with a deadline."""
    return lambda deadline: Demo(local_cluster, project, deadline)


def test_without_a_toolbox_nothing_is_there_that_could_see_the_app(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos={DEMO: {}})
    project.up()
    pod = local_cluster.pod(project.namespace, DEMO)
    assert [*processes(pod)] == ["main-app"]
    project.verify()


def test_the_checks_pass_before_and_after_the_deadline(demo: Callable[[int], Demo]) -> None:
    it = demo(40)
    before = it.app
    it.project.verify()
    within(60, lambda: it.said("Closed since "))
    it.project.verify()
    assert it.app == before
    assert restarts(it.pod) == 0


def test_what_a_page_says_of_a_toolbox_is_so(demo: Callable[[int], Demo]) -> None:
    """Files, environments and limits of the app; and a full disk of its own that harms nobody."""
    it = demo(3600)
    pid = it.pid
    assert it.run("toolbox", f"cat /proc/{pid}/root{FILE}").startswith("Held open since ")
    assert "PATH=" in it.run("toolbox", f"cat /proc/{pid}/environ")
    assert "Max open files" in it.run("toolbox", f"cat /proc/{pid}/limits")
    full = it.run("toolbox", "dd if=/dev/zero of=/tmp/large bs=1M count=32; rm /tmp/large")
    assert "No space left on device" in full
    assert is_ready(it.pod)
    assert restarts(it.pod) == 0


@pytest.mark.long
@pytest.mark.usefixtures("local_cluster")
def test_a_toolbox_that_ends_nothing_is_noticed(tmp_path: Path) -> None:
    project = Project(tmp_path)
    options = {"deadlineSeconds": 1, "intervalSeconds": INTERVAL}
    project.configure(demos={DEMO: {"toolbox": True, **options}})

    def broken(_: str, spec: Object) -> None:
        command = container(spec, "toolbox")["command"]
        assert command[4].count("\n        end_sessions(cgroup)\n") == 1
        command[4] = command[4].replace("\n        end_sessions(cgroup)\n", "\n        pass\n")

    with applied(project, broken):
        failed = [result for result in project.verified() if not result.passed]
    assert [result.check for result in failed] == ["deadline kept"]
    assert "stayed" in failed[0].seen


@pytest.mark.long
def test_sessions_end_at_the_deadline_and_the_app_that_is_being_traced_goes_on(
    demo: Callable[[int], Demo], capsys: pytest.CaptureFixture[str]
) -> None:
    it = demo(45)
    before, pid = it.app, it.pid
    toolbox = processes(it.pod)["toolbox"]
    stubborn = "trap '' HUP TERM; while :; do sleep 100; done"
    with (
        it.session("sleep", "900") as plain,
        it.session("strace", "-f", "-o", "/dev/null", "-p", pid) as tracing,
        it.session("sh", "-c", stubborn) as last,
    ):
        sessions = [plain, tracing, last]
        within(
            20, lambda: it.run("main-app", f"grep TracerPid /proc/{pid}/status").split()[1] > "0"
        )
        time.sleep(max(0, it.left() - 2))
        assert [session.poll() for session in sessions] == [None] * 3
        within(2 + LATE, lambda: all(session.poll() is not None for session in sessions))
        late = -it.left()
        assert all(session.returncode for session in sessions)
    assert "strace" in it.said("Ending ")
    assert it.run("main-app", f"grep TracerPid /proc/{pid}/status").split()[1] == "0"
    assert (it.app, it.state()) == (before, "S")
    assert processes(it.pod)["toolbox"] == toolbox
    assert restarts(it.pod) == 0
    # What comes later does not stay either, and the app has kept its pace all the while.
    begun = time.monotonic()
    with it.session("sleep", "900") as later:
        within(INTERVAL + 3 + LATE, lambda: later.poll() is not None)
    took = time.monotonic() - begun
    gap = it.widest_gap()
    assert gap <= PACE
    assert it.app == before
    with capsys.disabled():
        print(f"\nended {late:.1f} s after the deadline, a later one after {took:.1f} s;")
        print(f"the app's dates at most {gap:.0f} s apart")


@pytest.mark.long
def test_an_app_that_a_session_has_stopped_goes_on_after_the_deadline(
    demo: Callable[[int], Demo],
) -> None:
    it = demo(30)
    before, pid = it.app, it.pid
    with it.session("sh", "-c", f"kill -STOP {pid}; sleep 900"):
        within(20, lambda: it.state() == "T")
        within(30 + LATE, lambda: it.state() == "S")
        assert it.left() < 0
    assert it.app == before
    assert restarts(it.pod) == 0


@pytest.mark.long
def test_a_toolbox_that_is_killed_ends_its_sessions_and_keeps_its_deadline(
    demo: Callable[[int], Demo],
) -> None:
    it = demo(60)
    before, pid, said = it.app, it.pid, it.said("Open until ")
    first = processes(it.pod)["toolbox"]
    with it.session("strace", "-f", "-o", "/dev/null", "-p", pid) as tracing:
        within(
            20, lambda: it.run("main-app", f"grep TracerPid /proc/{pid}/status").split()[1] > "0"
        )
        kill(first)
        within(20, lambda: tracing.poll() is not None)
    within(40, lambda: processes(it.pod).get("toolbox") not in (first, None))
    again = within(20, lambda: it.said("Open until "))
    dates = [parse_date(line[11:].partition(": ")[0]) for line in (said, again)]
    assert None not in dates
    assert abs((dates[0] or 0) - (dates[1] or 0)) <= 1
    assert (it.app, it.state()) == (before, "S")
    assert restarts(it.pod) == 1
    # Killed once more when it is closed, it is closed from its start.
    within(max(0, it.left()) + LATE, lambda: it.said("Closed since "))
    second = processes(it.pod)["toolbox"]
    kill(second)
    within(60, lambda: processes(it.pod).get("toolbox") not in (second, None))
    within(20, lambda: it.said("Closed since ") and not it.said("Open until "))
    assert it.app == before
    it.project.verify()
