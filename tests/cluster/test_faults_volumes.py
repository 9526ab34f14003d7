"""A volume outgrows its size."""

import json
import time
from typing import Any

import pytest

from tests.cluster.faults import within
from tests.cluster.project import Cluster, Project, is_ready, restarts

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults-volumes")]

MIB = 1 << 20
LIMIT = 10 * MIB

ROUND_S = 10
"""The kubelet measures volumes every minute, and compares that with their limits that often.
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
"""


def fill(cluster: Cluster, namespace: str, demo: str, size: int) -> None:
    command = f"head -c {size} /dev/zero >/config/filling"
    assert cluster.run(namespace, demo, "sidecar-config-updater", command) == ""


def used(cluster: Cluster, pod: Any) -> int:
    """The size of the pod's volume when the kubelet last measured it."""
    answer = cluster.core.connect_get_node_proxy_with_path(
        pod.spec.node_name, "stats/summary", _preload_content=False
    )
    for found in json.loads(answer.data)["pods"]:
        if found["podRef"]["uid"] == pod.metadata.uid:
            return sum(volume["usedBytes"] for volume in found.get("volume", []))
    return 0


def test_only_a_volume_above_its_size_gets_its_pod_evicted_and_replaced_by_a_clean_one(
    local_cluster: Cluster, project: Project
) -> None:
    demo = {
        "demo": "init-sidecar",
        "sizeLimit": "10Mi",
        "intervalSeconds": 5,
        "appIntervalSeconds": 2,
    }
    project.configure(demos={"above": demo, "below": demo})
    project.up()
    above, below = (local_cluster.pod(project.namespace, key) for key in ("above", "below"))
    fill(local_cluster, project.namespace, "below", LIMIT * 9 // 10)
    fill(local_cluster, project.namespace, "above", LIMIT * 11 // 10)

    def evicted() -> list[str]:
        # Not the pod's status: the kubelet may take its reason back, and call the pod
        # Succeeded, if all containers have ended well.
        selector = f"reason=Evicted,involvedObject.uid={above.metadata.uid}"
        found = local_cluster.core.list_namespaced_event(
            project.namespace, field_selector=selector
        ).items
        return [event.message for event in found]

    reason = within(180, evicted)[0]
    assert 'Usage of EmptyDir volume "config-vol" exceeds the limit "10Mi"' in reason

    def replaced() -> bool:
        others = [pod for pod in local_cluster.pods(project.namespace) if is_ready(pod)]
        return bool({pod.metadata.uid for pod in others} - {above.metadata.uid, below.metadata.uid})

    within(60, replaced)
    listed = local_cluster.run(project.namespace, "above", "main-app", "ls -A /app")
    assert "config.ini" in listed
    assert "filling" not in listed
    log = local_cluster.log(project.namespace, "above", "main-app")
    assert log.splitlines()[0] == "Initial config"

    # It has been as large for as long as the other one, and was measured.
    within(180, lambda: used(local_cluster, below) >= LIMIT * 9 // 10)
    end = time.monotonic() + 2 * ROUND_S
    while time.monotonic() < end:
        pod = local_cluster.pod(project.namespace, "below")
        assert pod.metadata.uid == below.metadata.uid
        assert is_ready(pod)
        assert restarts(pod) == 0
        time.sleep(1)
    project.verify()
