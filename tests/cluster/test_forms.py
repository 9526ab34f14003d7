"""The demos as the article has them: bare Pods and classic sidecars."""

import time

import pytest

from tests.cluster.project import Cluster, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.configure(defaults={"workload": "pod", "sidecars": "classic"})
    project.up()


def names(project: Project) -> list[str]:
    """What the demos' own pods are named for; what a demo has beside them is no Pod of its."""
    return sorted(demo["name"] for demo in project.outputs()["demos"].values())


def test_all_pods_are_ready_and_bare(local_cluster: Cluster, project: Project) -> None:
    pods = local_cluster.pods(project.namespace)
    bare = [pod.metadata.name for pod in pods if not pod.metadata.owner_references]
    assert sorted(bare) == names(project)
    assert all(is_ready(pod) for pod in pods)


def test_the_label_that_the_sidecar_edits_is_no_drift(
    local_cluster: Cluster, project: Project
) -> None:
    labels = local_cluster.pod(project.namespace, "env-inherit").metadata.labels
    end = time.monotonic() + 30
    while labels["version"] == "1.0.0" and time.monotonic() < end:
        time.sleep(1)
        labels = local_cluster.pod(project.namespace, "env-inherit").metadata.labels
    assert labels["version"] != "1.0.0"
    project.refresh()
    project.up("--expect-no-changes")
    assert not any(restarts(pod) for pod in local_cluster.pods(project.namespace))


def test_a_changed_interval_replaces_the_pod_and_nothing_else(
    local_cluster: Cluster, project: Project
) -> None:
    before = {pod.metadata.name: pod.metadata.uid for pod in local_cluster.pods(project.namespace)}
    demos = {**project.config["sidecar-powers:demos"], "signal": {"intervalSeconds": 3}}
    project.configure(defaults={"workload": "pod", "sidecars": "classic"}, demos=demos)
    preview = project.pulumi("preview")
    assert preview.code == 0
    assert "1 to replace" in preview.output
    project.up()
    after = {pod.metadata.name: pod.metadata.uid for pod in local_cluster.pods(project.namespace)}
    assert {name for name in before if before[name] != after[name]} == {"signal-demo"}


def test_pods_become_deployments_and_leave_no_orphan(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure()
    project.up()
    pods = local_cluster.pods(project.namespace)
    instances = {pod.metadata.labels["app.kubernetes.io/instance"] for pod in pods}
    assert instances >= {*names(project)}
    assert all(pod.metadata.owner_references for pod in pods)
    assert all(is_ready(pod) for pod in pods)
