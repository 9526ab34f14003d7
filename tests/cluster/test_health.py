"""An app hangs: how soon it is dumped and answers again, and that neither is done twice."""

import re
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.faults import (
    Process,
    container_ids,
    in_network,
    kill,
    processes,
    root,
    statuses,
    watched,
    within,
)
from tests.cluster.patched import applied, insert
from tests.cluster.project import Cluster, Object, Project, is_ready

pytestmark = pytest.mark.xdist_group("health")

DEMO, APP, KEEPER = "health", "main-app", "health-keeper"

QUICK: Object = {
    "intervalSeconds": 2,
    "slowSeconds": 1,
    "probeTimeoutSeconds": 2,
    "stopSeconds": 8,
    "backoffSeconds": 5,
}
"""As patient as needs be for what a test has to see."""


def family(pid: int) -> list[int]:
    """A process of the node and all that descend from it."""
    file = root(Process("", pid, 0)).parent / "task" / str(pid) / "children"
    return [pid, *(each for child in file.read_text().split() for each in family(int(child)))]


class Kept:
    """A pod of health, from outside."""

    def __init__(self, cluster: Cluster, project: Project) -> None:
        self.cluster = cluster
        self.project = project

    @property
    def pod(self) -> Any:
        return self.cluster.pod(self.project.namespace, DEMO)

    def process(self, container: str) -> Process:
        return within(30, lambda: processes(self.pod).get(container))

    def stop(self, *pids: int) -> None:
        for pid in pids:
            kill(Process("", pid, 0), "STOP")

    def proceed(self, *pids: int) -> None:
        for pid in pids:
            kill(Process("", pid, 0), "CONT")

    @property
    def worker(self) -> int:
        """nginx's, which answers: the last of shell, master and worker."""
        found = family(self.process(APP).pid)
        assert len(found) == 3
        return found[-1]

    def run(self, command: str) -> str:
        return self.cluster.run(self.project.namespace, DEMO, KEEPER, command)

    @property
    def status(self) -> str:
        return self.run("cat /records/status")

    @property
    def dumps(self) -> dict[str, str]:
        """The text of each dump by its name, the oldest first."""
        files = sorted((root(self.process(KEEPER)) / "dumps").glob("*.txt"))
        return {file.name: file.read_text() for file in files}

    @property
    def restarts(self) -> tuple[int, int]:
        """How often app and sidecar have been started again."""
        found = statuses(self.pod)
        return found[APP].restart_count, found[KEEPER].restart_count

    def log(self, container: str, previous: bool = False) -> str:
        name, namespace = self.pod.metadata.name, self.project.namespace
        return self.cluster.core.read_namespaced_pod_log(
            name, namespace, container=container, previous=previous
        )

    def answers(self) -> bool:
        ask = ("curl", "--silent", "--fail", "--max-time", "1", "http://127.0.0.1:8080/")
        command = in_network(self.process(KEEPER), *ask)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def settled(self) -> None:
        """Wait until the sidecar has nothing to say any more."""
        within(60, lambda: self.status.startswith("healthy: ") and is_ready(self.pod))

    def stays(self, seconds: float) -> None:
        """Assert that for so long nothing more is done."""
        before = self.restarts, list(self.dumps)
        time.sleep(seconds)
        assert (self.restarts, list(self.dumps)) == before
        assert self.status.startswith("healthy: ")


Start = Callable[..., AbstractContextManager[Kept]]


@pytest.fixture
def started(local_cluster: Cluster, tmp_path: Path) -> Start:
    """A function that deploys a pod with these options, healthy, and removes it in the end."""
    project = Project(tmp_path)

    @contextmanager
    def start(
        options: Object, change: Callable[[str, Object], None] | None = None
    ) -> Generator[Kept]:
        project.configure(demos={DEMO: options})
        with applied(project, change):
            kept = Kept(local_cluster, project)
            if not change:
                kept.settled()
                assert kept.dumps == {}
            yield kept

    return start


def test_a_hung_app_is_dumped_once_and_restarted_once(
    started: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    with started(QUICK) as kept:
        sidecar = kept.process(KEEPER)
        hung(kept, capsys)
        # What the app itself has said is in the log of the container that has ended.
        said = kept.log(APP, previous=True)
        assert re.search(
            r"^Dump on USR1: nginx, process \d+, is T \(stopped\)$", said, re.MULTILINE
        )
        kept.project.verify()
        kept.stays(30)
        assert kept.process(KEEPER) == sidecar


@pytest.mark.long
def test_by_default_a_hang_lasts_less_than_a_minute_and_then_nothing_more_is_done(
    started: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    with started({}) as kept:
        hung(kept, capsys)
        kept.stays(180)


def hung(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """Let nginx's worker hang, and see what is to be seen until it answers again."""
    worker, began = kept.worker, time.time()
    kept.stop(worker)
    within(30, lambda: kept.dumps)
    dumped = time.time() - began
    assert kept.restarts == (0, 0)
    within(90, lambda: kept.restarts[0] and kept.answers())
    answered = time.time() - began
    with capsys.disabled():
        print(f"\nhang to dump: {dumped:.1f} s, to answers again: {answered:.1f} s")
    kept.settled()
    assert kept.restarts == (1, 0)
    ((name, text),) = kept.dumps.items()
    assert re.fullmatch(r"main-app-\d{8}T\d{6}Z-slow\.txt", name)
    processes_of = re.split("^== process ", text, flags=re.MULTILINE)[1:]
    states = [re.search(r"^State:\t(.*)$", part, re.MULTILINE) for part in processes_of]
    assert [state and state[1] for state in states] == [
        "S (sleeping)",
        "S (sleeping)",
        "T (stopped)",
    ]
    assert "nginx: worker process" in processes_of[2].splitlines()[0]
    assert re.search(r"127\.0\.0\.1:8080 .* (ESTABLISHED|CLOSE_WAIT)", text)
    log = kept.log(KEEPER)
    assert log.count("Dump: ") == log.count("restarting: ") == 1
    assert "has ended by TERM" in log


@pytest.mark.long
def test_an_app_that_is_slow_for_a_moment_is_dumped_and_not_restarted(started: Start) -> None:
    with started({**QUICK, "probeTimeoutSeconds": 5}) as kept:
        worker, app = kept.worker, kept.process(APP)
        kept.stop(worker)
        within(30, lambda: kept.dumps)
        kept.proceed(worker)
        kept.settled()
        kept.stays(30)
        assert kept.restarts == (0, 0)
        assert kept.process(APP) == app
        assert len(kept.dumps) == 1
        assert "slow: answered in " in kept.log(KEEPER)
        assert kept.log(APP).count("Dump on USR1") == 2


@pytest.mark.long
def test_an_app_of_which_all_processes_are_stopped_is_killed(started: Start) -> None:
    with started(QUICK) as kept:
        kept.stop(*family(kept.process(APP).pid))
        within(90, lambda: kept.restarts[0] and kept.answers())
        kept.settled()
        kept.stays(30)
        assert kept.restarts == (1, 0)
        (text,) = kept.dumps.values()
        assert len(re.findall(r"^State:\tT \(stopped\)$", text, re.MULTILINE)) == 3
        assert "has ended by KILL" in kept.log(KEEPER)


@pytest.mark.long
def test_a_sidecar_that_is_killed_in_the_middle_does_nothing_twice(started: Start) -> None:
    with started({**QUICK, "stopSeconds": 12}) as kept:
        # Once between the dump and the restart, and once between TERM and KILL.
        kept.stop(*family(kept.process(APP).pid))
        within(30, lambda: kept.dumps)
        kill(kept.process(KEEPER))
        within(60, lambda: kept.status.startswith("restarting: "))
        kill(kept.process(KEEPER))
        within(90, lambda: kept.restarts[0] and kept.answers())
        kept.settled()
        kept.stays(30)
        assert kept.restarts == (1, 2)
        assert len(kept.dumps) == 1
        assert len(kept.run("cat /records/restarts").splitlines()) == 1


def hanging(_: str, spec: Object) -> None:
    """An app that answers for a while after each start, and then no more."""
    insert(spec, APP, "trap stop TERM INT QUIT", "{ sleep 6; kill -STOP $(pidof nginx); } &")


@pytest.mark.long
def test_an_app_that_hangs_after_each_restart_is_restarted_ever_later_and_then_left_alone(
    started: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**QUICK, "backoffSeconds": 30, "restartBudget": 3, "budgetSeconds": 600}
    with started(options, hanging) as kept:
        within(400, lambda: kept.status.startswith("not restarted: budget"))
        lines = kept.run("cat /records/restarts").splitlines()
        seconds = [int(line.split()[0]) for line in lines]
        gaps = [after - before for before, after in pairwise(seconds)]
        with capsys.disabled():
            print(f"\nrestarts after {gaps} s, then none; dumps: {[*kept.dumps]}")
        assert len(gaps) == 2
        assert gaps[0] >= 30
        assert gaps[1] >= 60
        assert "not restarted: backoff" in kept.log(KEEPER)
        assert kept.restarts == (3, 0)
        time.sleep(60)
        assert kept.restarts == (3, 0)
        assert kept.status.startswith("not restarted: budget")
        assert not is_ready(kept.pod)
        # One of each process.
        assert len(kept.dumps) == 4


def draining(_: str, spec: Object) -> None:
    """An app that answers nobody for a while before it ends."""
    insert(spec, APP, "stop() {", '  kill "$child"; sleep 25')


@pytest.mark.long
def test_an_app_that_drains_as_its_pod_ends_is_left_alone(started: Start, tmp_path: Path) -> None:
    # It would be killed within 15 s.
    options = {**QUICK, "stopSeconds": 3}
    with watched(tmp_path) as events, started(options, draining) as kept:
        kept.settled()
        pod = kept.pod
        app = container_ids(pod)[APP]
        deleted = time.time()
        kept.cluster.core.delete_namespaced_pod(pod.metadata.name, kept.project.namespace)
        within(60, lambda: events.of(app) and events.of(app)[-1].code is not None)
        end = events.of(app)[-1]
        assert end.code == 0
        assert end.at - deleted >= 25
