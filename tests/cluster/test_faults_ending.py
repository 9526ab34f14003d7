"""Pods are deleted: first the app ends, then the sidecars, and none of them outlives its time."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.faults import Events, container_ids, watched, within
from tests.cluster.patched import applied, container, insert
from tests.cluster.project import Cluster, Object, Project

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("demos")]
"""One after another: the node's CPU has room for the demos' requests a few times only."""

GRACE_S = 5
"""The grace period of the pods that do not end by themselves."""

LATE_S = 4
"""The kubelet takes a moment to begin, and adds 2 s for what has had no time of its own.
https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

HANG = "trap 'while :; do sleep 1; done' TERM"

DEMOS: dict[str, Object] = {
    "shared-filesystem": {"intervalSeconds": 2},
    "init-sidecar": {"intervalSeconds": 5, "appIntervalSeconds": 2},
    "signal": {"intervalSeconds": 2},
    "env-inherit": {"intervalSeconds": 5, "appIntervalSeconds": 2},
    "resource": {},
}

HANGING: dict[str, Object] = {
    "hook": {"demo": "signal"},
    "app": {"demo": "signal"},
    "sidecar": {"demo": "signal"},
}


@dataclass(frozen=True)
class End:
    """How a container ended."""

    name: str
    code: int | None
    after: float
    """Seconds after its pod was deleted."""


def running(pod: Any) -> dict[str, str]:
    """containerd's ID of each container by name, in the order of starting."""
    return {name: key for name, key in container_ids(pod).items() if name != "init-config"}


def delete(cluster: Cluster, events: Events, pods: dict[str, Any]) -> dict[str, list[End]]:
    """Delete pods; how the containers of each end, in order of time."""
    since = time.time()
    for pod in pods.values():
        cluster.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)

    def ends(demo: str) -> list[End]:
        names = {key: name for name, key in running(pods[demo]).items()}
        found = [
            End(names[event.container], event.code, event.at - since)
            for event in events.of(*names)
            if event.code is not None
        ]
        return found if len(found) == len(names) else []

    return {demo: within(60, lambda demo=demo: ends(demo)) for demo in pods}


def test_the_app_ends_first_then_the_sidecars_in_reverse_order_and_all_within_5_s(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos=DEMOS)
    with watched(project.folder) as events, applied(project):
        pods = {key: local_cluster.pod(project.namespace, key) for key in DEMOS}
        for key, ends in delete(local_cluster, events, pods).items():
            assert [end.name for end in ends] == list(running(pods[key]))[::-1], key
            assert {end.code for end in ends} == {0}, ends
            assert ends[-1].after < 5, ends
        project.verify()


def broken(key: str, spec: Object) -> None:
    """Make the app's preStop hook hang, or the handler of TERM in the app or its sidecar."""
    spec["terminationGracePeriodSeconds"] = GRACE_S
    if key == "hook":
        hook = {"preStop": {"exec": {"command": ["sleep", "60"]}}}
        container(spec, "main-app")["lifecycle"] = hook
    else:
        insert(spec, "main-app" if key == "app" else "signal-sender", "while :; do", HANG)


def test_what_hangs_is_killed_when_its_grace_period_is_over_and_not_later(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos=HANGING)
    with watched(project.folder) as events, applied(project, broken):
        pods = {key: local_cluster.pod(project.namespace, key) for key in HANGING}
        ends = delete(local_cluster, events, pods)
    expected = {
        # When the hook's time is over, the app gets its TERM.
        "hook": {"main-app": (0, GRACE_S), "signal-sender": (0, GRACE_S)},
        # An app that still has time keeps its sidecar.
        "app": {"main-app": (137, GRACE_S), "signal-sender": (0, GRACE_S)},
        "sidecar": {"main-app": (0, 0), "signal-sender": (137, GRACE_S)},
    }
    for key, containers in expected.items():
        assert sorted(end.name for end in ends[key]) == sorted(containers)
        for end in ends[key]:
            code, earliest = containers[end.name]
            assert end.code == code, (key, end)
            assert earliest <= end.after < earliest + LATE_S, (key, end)
