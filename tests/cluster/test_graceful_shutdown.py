"""Pods end under load: no request is lost, and timestamps tell in which order what ends."""

import re
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import load
from tests.cluster.clients import Clients, clients
from tests.cluster.faults import (
    Events,
    Process,
    container_ids,
    kill,
    processes,
    watched,
    within,
)
from tests.cluster.patched import applied, container
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("graceful-shutdown")

DEMO, NAME, PORT = "graceful-shutdown", "graceful-shutdown-demo", 8080
NODE = Process("", 1, 0)
"""Where kube-proxy is: the node's own network reaches the Service's address."""

REQUESTS, UPDATES = 10_000, 3
SLOW_S, HOOK_S, DRAIN_S, GRACE_S = 8, 5, 15, 30
SLOW = "200 " + "".join(f"{f'second {second}':>1023}\n" for second in range(SLOW_S + 1))
"""A whole answer to /slow."""

LATE_S = 4
"""The kubelet takes a moment to begin, and adds 2 s for what has had no time of its own."""


def configured(project: Project, **options: Any) -> None:
    project.configure(demos={DEMO: {"slowSeconds": SLOW_S, **options}})


def pods(cluster: Cluster, project: Project) -> list[Any]:
    """Those that are not told to end."""
    return cluster.pods(project.namespace)


def delete(cluster: Cluster, pod: Any) -> float:
    """Delete a pod; when."""
    now = time.time()
    cluster.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
    return now


def settled(cluster: Cluster, project: Project, replicas: int = 1) -> list[Any]:
    """All pods, once there are so many and none that ends."""

    def look() -> list[Any]:
        found = cluster.core.list_namespaced_pod(project.namespace).items
        ending = [pod for pod in found if pod.metadata.deletion_timestamp]
        return found if len(found) == replicas and not ending and all(map(is_ready, found)) else []

    return within(90, look)


def gone(cluster: Cluster, pod: Any) -> bool:
    """Whether a pod exists no more."""
    found = cluster.core.list_namespaced_pod(pod.metadata.namespace).items
    return pod.metadata.uid not in [item.metadata.uid for item in found]


@dataclass(frozen=True)
class Said:
    """A line of the sidecar."""

    at: float
    """Seconds since 1970, as the sidecar says."""

    text: str


class Log:
    """What a pod's sidecar says, to the end."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def lines(self) -> list[Said]:
        return [_said(line) for line in self._file.read_text().splitlines(keepends=True)]

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    def at(self, beginning: str) -> Said:
        """The first line that begins so."""
        return next(line for line in self.lines if line.text.startswith(beginning))


def _said(line: str) -> Said:
    day, clock, text = line.rstrip("\n").split(" ", 2)
    return Said(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC).timestamp(), text)


@contextmanager
def followed(project: Project, pod: Any) -> Generator[Log]:
    """A pod's sidecar, followed from its beginning."""
    file = project.folder / f"log-{pod.metadata.name}"
    where = ("-n", project.namespace, pod.metadata.name, "-c", "drain-keeper", "-f")
    with file.open("wb") as output:
        process = subprocess.Popen(["kubectl", "logs", *where], env=project.env, stdout=output)
    try:
        yield Log(file)
    finally:
        process.kill()
        process.wait()


@contextmanager
def asking(cluster: Cluster, project: Project, path: str, *more: str) -> Generator[Clients]:
    """Clients of the Service."""
    host = cluster.core.read_namespaced_service(NAME, project.namespace).spec.cluster_ip
    with clients(NODE, load, PORT, 0, host, path, *more) as found:
        yield found


@contextmanager
def all_kinds(
    cluster: Cluster, project: Project
) -> Generator[tuple[Clients, Clients, list[Clients]]]:
    """Clients with new connections, with kept ones, and with slow requests at all times."""
    with ExitStack() as stack:
        fast = stack.enter_context(asking(cluster, project, "/"))
        kept = stack.enter_context(asking(cluster, project, "/", "kept"))
        slow: list[Clients] = []
        for _ in range(4):
            slow.append(stack.enter_context(asking(cluster, project, "/slow")))
            time.sleep(SLOW_S / 4)
        yield fast, kept, slow


def assert_nothing_lost(seen: Object, answer: str) -> int:
    """That all requests were answered so; how many."""
    assert seen["failures"] == []
    assert seen["answers"].keys() == {answer}
    return seen["answers"][answer]


def assert_order(pod: Any, events: Events, log: Log) -> list[tuple[str, float]]:
    """That a pod has ended in the right order; each step and when, after it became unready."""
    names = {key: name for name, key in container_ids(pod).items()}
    ended = within(
        10,
        lambda: (
            found
            if len(found := [it for it in events.of(*names) if it.code is not None]) == 2
            else None
        ),
    )
    assert [(names[event.container], event.code) for event in ended] == [
        ("main-app", 0),
        ("drain-keeper", 0),
    ]
    within(5, lambda: "keeper ends" in log.texts)
    first, *rest = [text for text in log.texts if not text.endswith("in flight")]
    assert (first, rest) == ("ready", ["app ended", "keeper ends"])
    unready, over = log.at("unready"), log.at("preStop over")
    app, keeper = (event.at for event in ended)
    steps = [
        ("unready", unready.at),
        ("preStop over", over.at),
        ("requests finished", log.at("app ended").at),
        ("app ended", app),
        ("keeper ended", keeper),
    ]
    times = [at for _, at in steps]
    # The sidecar's times are those of files, a few milliseconds old.
    assert all(before < after + 0.02 for before, after in pairwise(times)), steps
    # It notices a little after the hook has begun.
    assert over.at - unready.at >= HOOK_S - 2
    assert keeper - unready.at < GRACE_S
    return [(name, at - unready.at) for name, at in steps]


def shown(steps: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {seconds:.3f} s" for name, seconds in steps)


@pytest.fixture(scope="module", autouse=True)
def deployed(local_cluster: Cluster, project: Project) -> None:
    configured(project)
    project.up()
    assert local_cluster


def test_a_deleted_pod_ends_in_order_and_its_checks_pass(
    local_cluster: Cluster, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.verify()
    with watched(project.folder) as events:
        (pod,) = settled(local_cluster, project)
        with followed(project, pod) as log:
            within(10, lambda: log.lines)
            deleted = delete(local_cluster, pod)
            within(60, lambda: gone(local_cluster, pod))
            steps = assert_order(pod, events, log)
            said = log.at("unready").at - deleted
    with capsys.disabled():
        print(f"\nunready {said * 1000:.0f} ms after the deletion; {shown(steps)}")
    settled(local_cluster, project)


@pytest.mark.long
@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("sidecars", ["native", "classic"])
def test_rolling_updates_lose_none_of_ten_thousand_requests(
    local_cluster: Cluster,
    project: Project,
    capsys: pytest.CaptureFixture[str],
    sidecars: str,
    replicas: int,
) -> None:
    options = {"replicas": replicas, "sidecars": sidecars}
    configured(project, **options)
    project.up()
    settled(local_cluster, project, replicas)
    in_flight: list[int] = []
    last: list[tuple[str, float]] = []
    with watched(project.folder) as events, all_kinds(local_cluster, project) as (fast, kept, slow):
        for number in range(UPDATES):
            with ExitStack() as stack:
                old = pods(local_cluster, project)
                assert len(old) == replicas
                logs = [stack.enter_context(followed(project, pod)) for pod in old]
                # An option that changes the template and nothing of how it serves.
                configured(project, intervalSeconds=100 + number, **options)
                project.up()
                within(90, lambda old=old: all(gone(local_cluster, pod) for pod in old))
                for pod, log in zip(old, logs, strict=True):
                    last = assert_order(pod, events, log)
                    in_flight.append(int(log.at("preStop over").text.split()[2]))
        slow_seen = [each.end() for each in slow]
        fast_seen, kept_seen = fast.end(), kept.end()
    requests = assert_nothing_lost(fast_seen, "200 Hello\n")
    more = assert_nothing_lost(kept_seen, "200 Hello\n")
    whole = sum(assert_nothing_lost(seen, SLOW) for seen in slow_seen)
    with capsys.disabled():
        print(
            f"\n{replicas} {sidecars}: over {UPDATES} updates 0 failed of {requests} requests with"
            f" new connections, of {more} with kept ones, of {whole} slow ones;"
            f" in flight when the hook was over: {in_flight}; {shown(last)}"
        )
    assert requests >= REQUESTS
    # Some of the slow ones were in flight when the app was told to end.
    assert sum(in_flight) > 0
    project.verify()


@pytest.mark.long
def test_the_only_pod_can_be_deleted_under_load(
    local_cluster: Cluster, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    # The next pod has this long to become ready, on a machine that may be busy.
    configured(project, preStopSeconds=20, gracePeriodSeconds=45)
    project.up()
    (pod,) = settled(local_cluster, project)
    with asking(local_cluster, project, "/") as fast:
        time.sleep(2)
        delete(local_cluster, pod)
        within(90, lambda: gone(local_cluster, pod))
        seen = fast.end()
    count = assert_nothing_lost(seen, "200 Hello\n")
    with capsys.disabled():
        print(f"\nthe only pod deleted: 0 failed of {count}")
    assert count > 1000


@pytest.mark.long
def test_what_takes_longer_than_there_is_time_for_is_cut_off_and_that_is_said(
    local_cluster: Cluster, project: Project
) -> None:
    configured(project, slowSeconds=20, preStopSeconds=2, drainSeconds=2, gracePeriodSeconds=20)
    project.up()
    with watched(project.folder) as events:
        (pod,) = settled(local_cluster, project)
        with followed(project, pod) as log, asking(local_cluster, project, "/slow") as slow:
            time.sleep(2)
            delete(local_cluster, pod)
            within(60, lambda: gone(local_cluster, pod))
            failures: list[str] = slow.end()["failures"]
        names = {key: name for name, key in container_ids(pod).items()}
        codes = [(names[it.container], it.code) for it in events.of(*names) if it.code is not None]
    assert f"app ended, its 2 s were over: {load.CLIENTS} in flight cut off" in log.texts
    assert log.at("app ended").at - log.at("preStop over").at == pytest.approx(2, abs=1)
    # Others were refused, where the next pod was not ready yet.
    cut = [failure for failure in failures if failure.startswith("IncompleteRead")]
    assert len(cut) == load.CLIENTS, failures
    assert codes == [("main-app", 0), ("drain-keeper", 0)]


@pytest.mark.long
def test_a_sidecar_that_is_killed_while_the_pod_drains_stays_away_and_nothing_is_lost(
    local_cluster: Cluster, project: Project
) -> None:
    configured(project, preStopSeconds=6, slowSeconds=10)
    project.up()
    (pod,) = settled(local_cluster, project)
    whole = "200 " + "".join(f"{f'second {second}':>1023}\n" for second in range(11))
    with watched(project.folder) as events, asking(local_cluster, project, "/slow") as slow:
        time.sleep(2)
        started = delete(local_cluster, pod)
        time.sleep(2)
        kill(processes(pod)["drain-keeper"])
        started_again: list[int] = []

        def ended() -> bool:
            found = local_cluster.core.list_namespaced_pod(project.namespace).items
            mine = [item for item in found if item.metadata.uid == pod.metadata.uid]
            started_again.extend(map(restarts, mine))
            return not mine

        within(60, ended)
        seen = slow.end()
        names = {key: name for name, key in container_ids(pod).items()}
        app = [it for it in events.of(*names) if names[it.container] == "main-app"]
    assert_nothing_lost(seen, whole)
    assert set(started_again) == {0}
    assert len([it for it in events.of(*names) if names[it.container] == "drain-keeper"]) == 1
    assert app[-1].code == 0
    assert app[-1].at - started < 10 + 6


@pytest.mark.long
def test_a_sidecar_that_is_killed_before_starts_again_and_reports_the_end_as_well(
    local_cluster: Cluster, project: Project
) -> None:
    configured(project)
    project.up()
    (pod,) = settled(local_cluster, project)
    kill(processes(pod)["drain-keeper"])
    within(60, lambda: restarts(local_cluster.pod(project.namespace, DEMO)) == 1)
    within(60, lambda: is_ready(local_cluster.pod(project.namespace, DEMO)))
    project.verify()
    with followed(project, pod) as log:
        within(10, lambda: log.lines)
        delete(local_cluster, pod)
        within(60, lambda: gone(local_cluster, pod))
    first, *rest = [text for text in log.texts if not text.endswith("in flight")]
    assert (first, rest) == ("ready", ["app ended", "keeper ends"])


def hanging(_: str, spec: Object) -> None:
    """Let the hook not come back."""
    spec["terminationGracePeriodSeconds"] = 5
    hook = container(spec, "main-app")["lifecycle"]["preStop"]["exec"]["command"]
    hook[-1] = re.sub(r"sleep \d+$", "sleep 600", hook[-1])


@pytest.fixture
def beside(
    local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Events]]:
    """A project with a pod whose hook hangs."""
    assert local_cluster
    project = Project(tmp_path_factory.mktemp("hanging"))
    project.configure(demos={DEMO: {}})
    with watched(project.folder) as events, applied(project, hanging):
        yield project, events


@pytest.mark.long
def test_a_hook_that_hangs_is_ended_with_the_grace_period(
    local_cluster: Cluster, beside: tuple[Project, Events]
) -> None:
    project, events = beside
    pod = local_cluster.pod(project.namespace, DEMO)
    names = {key: name for name, key in container_ids(pod).items()}
    started = delete(local_cluster, pod)
    ended = within(
        60,
        lambda: (
            found
            if len(found := [it for it in events.of(*names) if it.code is not None]) == 2
            else None
        ),
    )
    assert [names[event.container] for event in ended] == ["main-app", "drain-keeper"]
    for event in ended:
        assert 5 <= event.at - started < 5 + LATE_S, ended
    # It gets TERM then, and has nothing in flight.
    assert [event.code for event in ended] == [0, 0]
