"""The API server is away, or refuses: the updater says so, goes on, and nothing restarts."""

import re
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.faults import container_ids, kill_part, within
from tests.cluster.project import Cluster, Project, is_ready, restarts
from tools import cluster

pytestmark = pytest.mark.xdist_group("faults-api")
"""One deployment for all."""

DEMO = "env-inherit"
OUTAGE_S = 30


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.configure(demos={DEMO: {"intervalSeconds": 4, "appIntervalSeconds": 1}})
    project.up()


class Demo:
    """The demo in its namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    @property
    def pod(self) -> Any:
        return self._cluster.pod(self._namespace, DEMO)

    @property
    def label(self) -> str:
        return self.pod.metadata.labels["version"]

    def log(self, container: str) -> str:
        return self._cluster.log(self._namespace, DEMO, container)

    def run(self, container: str, command: str) -> str:
        return self._cluster.run(self._namespace, DEMO, container, command)

    def converges(self) -> None:
        """A label that is new from now on reaches the file and the app."""
        before = self.label
        label = within(30, lambda: (found := self.label) != before and found)

        def at_least(text: str) -> bool:
            # Meanwhile there may be a later one.
            return any(_since(label, found) < _DAY_S / 2 for found in _versions(text))

        within(90, lambda: at_least(self.run("main-app", "cat /etc/podinfo/version")))
        within(10, lambda: at_least(self.log("main-app")))


_DAY_S = 24 * 3600


def _versions(text: str) -> list[str]:
    """The versions in a text, which are times of day."""
    return re.findall(r"\d\d-\d\d-\d\d", text)


def _since(old: str, new: str) -> int:
    """The seconds between two versions; after midnight they begin again."""
    (before, after) = (
        sum(int(part) * unit for part, unit in zip(text.split("-"), (3600, 60, 1), strict=True))
        for text in (old, new)
    )
    return (after - before) % _DAY_S


@pytest.fixture
def demo(local_cluster: Cluster, project: Project) -> Demo:
    return Demo(local_cluster, project.namespace)


def test_without_its_role_the_updater_logs_the_refusal_and_the_next_up_restores_it(
    demo: Demo, local_cluster: Cluster, project: Project
) -> None:
    demo.converges()
    containers = container_ids(demo.pod)
    local_cluster.rbac.delete_namespaced_role("pod-labeler", project.namespace)
    account = f"system:serviceaccount:{project.namespace}:pod-labeler"
    refusal = f'is forbidden: User \\"{account}\\" cannot patch resource \\"pods\\"'
    within(30, lambda: demo.log("version-updater").count(refusal) >= 3)
    assert "The requested URL returned error: 403" in demo.log("version-updater")
    assert "Trying again in 4 s" in demo.log("version-updater")
    assert is_ready(demo.pod)
    project.up("--refresh")
    demo.converges()
    assert container_ids(demo.pod) == containers
    assert restarts(demo.pod) == 0
    project.verify()


@pytest.mark.long
@pytest.mark.alone
def test_an_api_server_that_is_away_restarts_nothing_and_is_tried_until_it_is_back(
    demo: Demo, project: Project
) -> None:
    demo.converges()
    containers = container_ids(demo.pod)
    lines = len(demo.log("version-updater").splitlines())
    with kept_down("kube-apiserver"):
        time.sleep(OUTAGE_S)
        assert kubectl(project, "get", "nodes") != 0
    within(60, lambda: all(state in ("ready", "yes") for _, state, _ in cluster.status()))
    assert kubectl(project, "get", "nodes") == 0
    demo.converges()
    log = "\n".join(demo.log("version-updater").splitlines()[lines:])
    assert "curl: (7)" in log
    assert [f"Trying again in {seconds} s" in log for seconds in (1, 2, 4)] == [True] * 3
    assert container_ids(demo.pod) == containers
    assert restarts(demo.pod) == 0
    # The node was not heard of: its pods count as unready until the kubelet has told otherwise.
    within(60, lambda: is_ready(demo.pod))
    project.verify()


@contextmanager
def kept_down(part: str) -> Generator[None]:
    """Kill a part of the cluster whenever the node has started it again."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(0.1):
            kill_part(part)

    thread = threading.Thread(target=keep)
    kill_part(part)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def kubectl(project: Project, *words: str) -> int:
    """The exit code of a kubectl command."""
    command = ["kubectl", *words, "--request-timeout=1s"]
    return subprocess.run(command, env=project.env, capture_output=True, check=False).returncode
