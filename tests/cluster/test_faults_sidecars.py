"""Sidecars fail before they have done their work, or take too much memory."""

from collections.abc import Iterator

import pytest

from tests.cluster.faults import Events, container_ids, kill, processes, statuses, watched, within
from tests.cluster.patched import applied, insert
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults-sidecars")]
"""One deployment for all."""

DEMOS: dict[str, Object] = {
    "shared-filesystem": {"intervalSeconds": 2},
    "shared-classic": {
        "demo": "shared-filesystem",
        "intervalSeconds": 2,
        "sidecars": "classic",
    },
    "init-sidecar": {"intervalSeconds": 5, "appIntervalSeconds": 2},
    "shared-hog": {
        "demo": "shared-filesystem",
        "intervalSeconds": 2,
        "resources": {"sidecar-config": {"limits": {"memory": "32Mi"}}},
    },
}

FAIL = """
tried="${file%/*}/.tried"
[ -e "$tried" ] || { sleep 3; touch "$tried"; exit 1; }
"""
"""The first time, end with an error instead of writing `file`."""


def broken(demo: str, spec: Object) -> None:
    """Let what writes fail at first, or become a hog when it is told to."""
    if demo in ("shared-filesystem", "shared-classic"):
        insert(spec, "sidecar-config", "file=$1 interval=$2", FAIL)
    if demo == "init-sidecar":
        insert(spec, "init-config", "file=$1 text=$2", FAIL)
    if demo == "shared-hog":
        # The hog takes the place of the container's main process.
        insert(spec, "sidecar-config", "file=$1 interval=$2", "trap 'exec tail /dev/zero' USR1")


@pytest.fixture(scope="module")
def events(project: Project) -> Iterator[Events]:
    """What containerd tells while the demos run, and before."""
    project.configure(demos=DEMOS)
    with watched(project.folder) as events, applied(project, broken):
        yield events


@pytest.mark.parametrize(
    ("demo", "failing"), [("shared-filesystem", "sidecar-config"), ("init-sidecar", "init-config")]
)
def test_the_app_waits_for_what_fails_before_its_first_write(
    local_cluster: Cluster, project: Project, events: Events, demo: str, failing: str
) -> None:
    pod = local_cluster.pod(project.namespace, demo)
    assert (statuses(pod)[failing].restart_count, restarts(pod)) == (1, 1)
    ids = list(container_ids(pod).values())
    assert events.started(*ids) == ids
    assert is_ready(pod)
    log = local_cluster.log(project.namespace, demo, "main-app")
    if demo == "init-sidecar":
        assert log.splitlines()[0] == "Initial config"
    else:
        # nginx reports each request for which there is no page.
        assert log == ""
    project.verify(demo)


def test_an_app_beside_a_classic_sidecar_is_not_ready_before_there_is_a_page(
    local_cluster: Cluster, project: Project, events: Events
) -> None:
    assert events
    pod = local_cluster.pod(project.namespace, "shared-classic")
    sidecar = statuses(pod)["sidecar-config"]
    assert (sidecar.last_state.terminated.exit_code, sidecar.restart_count) == (1, 1)
    ready = next(item for item in pod.status.conditions if item.type == "Ready")
    assert ready.status == "True"
    assert ready.last_transition_time >= sidecar.state.running.started_at
    assert statuses(pod)["main-app"].restart_count == 0
    project.verify("shared-classic")


def test_a_sidecar_out_of_memory_is_named_and_the_app_goes_on_answering(
    local_cluster: Cluster, project: Project, events: Events
) -> None:
    assert events
    where = (project.namespace, "shared-hog")

    def page() -> str:
        return local_cluster.run(*where, "main-app", "busybox wget -qO- http://127.0.0.1:8080/")

    before = processes(local_cluster.pod(*where))
    kill(before["sidecar-config"], "USR1")

    def ended() -> object:
        assert "20" in page()
        return statuses(local_cluster.pod(*where))["sidecar-config"].last_state.terminated

    reason = within(30, ended)
    assert (reason.reason, reason.exit_code) == ("OOMKilled", 137)
    pod = within(30, lambda: _ready(local_cluster, *where))
    assert processes(pod)["main-app"] == before["main-app"]
    assert restarts(pod) == 1
    project.verify("shared-hog")


def _ready(cluster: Cluster, namespace: str, demo: str) -> object:
    pod = cluster.pod(namespace, demo)
    return pod if is_ready(pod) else None
