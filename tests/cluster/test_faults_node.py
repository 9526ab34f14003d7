"""Parts of the node end and are started again: containers go on as they were."""

import pytest

from tests.cluster.faults import Process, processes, restart
from tests.cluster.project import Cluster, Project, is_ready, restarts

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.xdist_group("demos")]


DEMOS = {
    "shared-filesystem": {"intervalSeconds": 2},
    "init-sidecar": {"intervalSeconds": 5, "appIntervalSeconds": 2},
    "signal": {"intervalSeconds": 2},
    "env-inherit": {"intervalSeconds": 5, "appIntervalSeconds": 2},
    "resource": {},
}


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.configure(demos=DEMOS)
    project.up()


@pytest.mark.parametrize("part", ["kubelet", "containerd"])
def test_no_container_restarts_and_all_powers_work(
    local_cluster: Cluster, project: Project, part: str
) -> None:
    def found() -> dict[str, dict[str, Process]]:
        pods = local_cluster.pods(project.namespace)
        return {pod.metadata.name: processes(pod) for pod in pods}

    before = found()
    assert len(before) == len(DEMOS)
    restart(part)
    # Only a kubelet that works passes a new label on, among other things.
    project.verify()
    assert found() == before
    pods = local_cluster.pods(project.namespace)
    assert [restarts(pod) for pod in pods] == [0] * len(DEMOS)
    assert all(is_ready(pod) for pod in pods)
