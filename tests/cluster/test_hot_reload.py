"""A configuration changes under a running nginx: how fast, at what price, and if it is wrong."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from components.checks import SYNC
from tests.cluster import load
from tests.cluster.clients import clients
from tests.cluster.faults import kill, processes, within
from tests.cluster.project import Cluster, Project, is_ready, restarts
from tests.cluster.reloads import DEMO, Watched, directives, watched

pytestmark = pytest.mark.xdist_group("hot-reload")

CHANGES, REQUESTS, RELOADS = 100, 10_000, 20


def configured(project: Project, text: str) -> None:
    project.configure(demos={DEMO: {"directives": text}})


def status(cluster: Cluster, project: Project) -> str:
    where = project.namespace, DEMO, "config-reloader"
    return cluster.run(*where, "cat /etc/nginx/live/status")


def offered(cluster: Cluster, project: Project, text: str) -> None:
    """Let Pulumi offer a configuration, and wait until the sidecar says what became of it."""
    before = status(cluster, project)
    configured(project, text)
    project.up()
    cluster.hurry(project.namespace)
    within(SYNC, lambda: status(cluster, project) != before)


@pytest.fixture(scope="module")
def pod(local_cluster: Cluster, project: Project) -> Any:
    """The pod, which must stay the same one throughout."""
    configured(project, directives("first"))
    project.up()
    return local_cluster.pod(project.namespace, DEMO)


def test_a_config_map_that_pulumi_updates_is_served_by_the_same_containers(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    configured(project, directives("second"))
    changes = project.changed()
    assert [change.operation for change in changes.values()] == ["update"]
    command = "wget -q -O - http://127.0.0.1:8080/"
    where = project.namespace, DEMO, "main-app"
    within(SYNC, lambda: local_cluster.run(*where, command) == "second")
    found = local_cluster.pod(project.namespace, DEMO)
    assert (found.metadata.uid, restarts(found)) == (pod.metadata.uid, 0)
    project.verify()


@pytest.mark.long
def test_a_wrong_configuration_is_refused_by_name_and_the_old_one_stays(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    offered(local_cluster, project, directives("right"))
    good = status(local_cluster, project)
    assert good.startswith("serving ")
    offered(local_cluster, project, "lokation / { return 204; }")
    said = status(local_cluster, project)
    assert said.startswith("refused ")
    assert 'unknown directive "lokation"' in said
    assert said in local_cluster.log(project.namespace, DEMO, "config-reloader")
    failed = [result for result in project.verified() if not result.passed]
    assert [result.check for result in failed] == ["configuration served"]
    assert "lokation" in failed[0].seen
    # nginx that starts again meanwhile has the old one still.
    found = local_cluster.pod(project.namespace, DEMO)
    assert is_ready(found)
    kill(processes(found)["main-app"])
    within(60, lambda: restarts(local_cluster.pod(project.namespace, DEMO)) == 1)
    where = project.namespace, DEMO, "main-app"
    answer = within(
        30, lambda: local_cluster.run(*where, "wget -q -O - http://127.0.0.1:8080/ || true")
    )
    assert answer == "right"
    # What is right again is served, with nothing to do for nginx.
    offered(local_cluster, project, directives("right"))
    assert status(local_cluster, project) == good
    assert pod.metadata.uid == local_cluster.pod(project.namespace, DEMO).metadata.uid


@pytest.mark.long
def test_a_sidecar_that_is_killed_goes_on_from_what_nginx_serves(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    offered(local_cluster, project, directives("before"))
    app = processes(local_cluster.pod(project.namespace, DEMO))["main-app"]
    kill(processes(local_cluster.pod(project.namespace, DEMO))["config-reloader"])
    within(60, lambda: "config-reloader" in processes(local_cluster.pod(project.namespace, DEMO)))
    offered(local_cluster, project, directives("after"))
    assert status(local_cluster, project).startswith("serving ")
    assert processes(local_cluster.pod(project.namespace, DEMO))["main-app"] == app
    project.verify()
    assert pod


@pytest.fixture(scope="module")
def changing(local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(local_cluster, Project(tmp_path_factory.mktemp("watched"))) as found:
        yield found


@pytest.mark.long
def test_a_file_that_changes_is_served_within_a_second(
    changing: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    times = sorted(changing.time(f"change {number}") for number in range(CHANGES))
    with capsys.disabled():
        middle, last = times[CHANGES // 2], times[int(CHANGES * 0.99) - 1]
        print(f"\nchange to served: p50 {middle * 1000:.0f} ms, p99 {last * 1000:.0f} ms")
    assert last <= 1


@pytest.mark.long
def test_twenty_reloads_lose_none_of_ten_thousand_requests(
    changing: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    with clients(changing.process, load, 8080) as asking:
        for number in range(RELOADS):
            changing.write(f"reload {number}")
            time.sleep(1)
        seen = asking.end()
    answers: dict[str, int] = seen["answers"]
    with capsys.disabled():
        print(f"\n{sum(answers.values())} requests over {RELOADS} reloads")
    assert seen["failures"] == []
    assert all(answer.startswith("200 ") for answer in answers)
    assert sum(answers.values()) >= REQUESTS
    assert {f"200 reload {number}" for number in range(RELOADS)} <= answers.keys()
