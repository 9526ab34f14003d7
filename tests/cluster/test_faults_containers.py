"""Containers end, and what else is in their pod goes on."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.faults import (
    Events,
    Process,
    container_ids,
    kill,
    processes,
    sandbox,
    statuses,
    watched,
    within,
)
from tests.cluster.patched import applied, container, insert
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("faults-containers")
"""One deployment for all."""

SMALL = {"requests": {"cpu": "10m"}}
"""The node has little room."""

DEMOS: dict[str, Object] = {
    "shared-filesystem": {"intervalSeconds": 2},
    "init-sidecar": {"intervalSeconds": 4, "appIntervalSeconds": 1},
    "signal": {"intervalSeconds": 2},
    "env-inherit": {"intervalSeconds": 5, "appIntervalSeconds": 1},
    "resource": {
        "intervalSeconds": 2,
        "loadWorkers": 1,
        "resources": dict.fromkeys(["main-app", "resource-monitor", "load-generator"], SMALL),
    },
    "init-sandbox": {"demo": "init-sidecar", "intervalSeconds": 4, "appIntervalSeconds": 1},
    "signal-sandbox": {"demo": "signal", "intervalSeconds": 2},
    "signal-late": {"demo": "signal", "intervalSeconds": 1},
    "signal-other-user": {"demo": "signal", "intervalSeconds": 1},
}

SIDECARS = {
    "shared-filesystem": "sidecar-config",
    "init-sidecar": "sidecar-config-updater",
    "signal": "signal-sender",
    "env-inherit": "version-updater",
    "resource": "load-generator",
}

HEALED = [demo for demo in SIDECARS if demo != "resource"]
"""Whether the load is throttled depends on what else the machine does just now."""


def broken(demo: str, spec: Object) -> None:
    """Make two senders meet apps that they had better not signal."""
    if demo == "signal-late":
        insert(spec, "main-app", "message=$1 interval=$2", "sleep 5")
    if demo == "signal-other-user":
        container(spec, "signal-sender")["securityContext"]["runAsUser"] = 65533


@pytest.fixture(scope="module")
def events(project: Project) -> Iterator[Events]:
    """What containerd tells while the demos run, two of them broken."""
    project.configure(demos=DEMOS)
    with watched(project.folder) as events, applied(project, broken):
        yield events


class Demos:
    """The demos in their namespace."""

    def __init__(self, cluster: Cluster, namespace: str, events: Events) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._events = events

    def pod(self, demo: str) -> Any:
        return self._cluster.pod(self._namespace, demo)

    def exit_codes(self, process: Process) -> list[int]:
        """How a container ended; the kubelet's lastState does not always keep it."""
        events = self._events.of(process.container)
        return [event.code for event in events if event.code is not None]

    def log(self, demo: str, container: str) -> str:
        return self._cluster.log(self._namespace, demo, container)


@pytest.fixture
def demos(local_cluster: Cluster, project: Project, events: Events) -> Demos:
    return Demos(local_cluster, project.namespace, events)


def end_one_of_each(demos: Demos, names: dict[str, str]) -> None:
    """Kill a container of each demo: it restarts, and its pod has all else as it was."""
    pods = {demo: demos.pod(demo) for demo in names}
    before = {demo: processes(pod) for demo, pod in pods.items()}
    counts = {demo: restarts(pod) for demo, pod in pods.items()}
    for demo, name in names.items():
        kill(before[demo][name])
    for demo, name in names.items():
        pod = within(30, lambda demo=demo: _ready_after(demos.pod(demo), counts[demo]))
        after = processes(pod)
        killed = before[demo].pop(name)
        assert after.pop(name) != killed
        assert after == before[demo]
        assert restarts(pod) == counts[demo] + 1
        assert statuses(pod)[name].restart_count == 1
        assert within(10, lambda killed=killed: demos.exit_codes(killed)) == [137]


def _ready_after(pod: Any, count: int) -> Any:
    return pod if restarts(pod) > count and is_ready(pod) else None


def test_a_sidecar_that_is_killed_restarts_alone(demos: Demos, project: Project) -> None:
    end_one_of_each(demos, SIDECARS)
    project.verify(*HEALED)


def test_an_app_that_is_killed_restarts_beside_the_same_sidecars(
    demos: Demos, project: Project
) -> None:
    end_one_of_each(demos, dict.fromkeys(SIDECARS, "main-app"))
    project.verify(*HEALED)


def test_after_the_sandbox_has_ended_all_containers_start_again_in_order(
    demos: Demos, events: Events, project: Project
) -> None:
    names = ("init-sandbox", "signal-sandbox")
    within(30, lambda: "Updated config" in demos.log("init-sandbox", "main-app"))
    before = {demo: demos.pod(demo) for demo in names}
    for pod in before.values():
        kill(sandbox(pod))
    for demo, old in before.items():
        pod = within(30, lambda demo=demo, old=old: _all_new(demos.pod(demo), old))
        assert pod.metadata.uid == old.metadata.uid
        ids = list(container_ids(pod).values())
        assert events.started(*ids) == ids
    assert demos.log("init-sandbox", "main-app").splitlines()[0] == "Initial config"
    project.verify(*names)


def _all_new(pod: Any, old: Any) -> Any:
    changed = not set(container_ids(pod).values()) & set(container_ids(old).values())
    return pod if changed and is_ready(pod) else None


def test_a_signal_before_the_app_handles_it_is_not_sent(demos: Demos, project: Project) -> None:
    within(30, lambda: demos.log("signal-late", "main-app").count("Received SIGHUP!") > 1)
    said = demos.log("signal-late", "signal-sender")
    assert "main-app does not handle SIGHUP, which would end it: not sent" in said
    assert said.index("not sent") < said.index("Sending SIGHUP")
    assert restarts(demos.pod("signal-late")) == 0
    project.verify("signal-late")


def test_a_sender_of_another_user_says_that_it_may_not_and_goes_on(demos: Demos) -> None:
    def said() -> str:
        return demos.log("signal-other-user", "signal-sender")

    within(30, lambda: len(re.findall("^Cannot signal main-app: .*ermi", said(), re.M)) > 2)
    assert "Received SIGHUP!" not in demos.log("signal-other-user", "main-app")
    assert restarts(demos.pod("signal-other-user")) == 0
