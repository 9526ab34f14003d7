"""Where there is no room for a pod, an up says what takes it; with room again, it converges."""

import time
from typing import Any

import pytest

from components.quantity import parse_quantity
from tests.cluster.converged import assert_converged
from tests.cluster.project import Cluster, Object, Project, is_ready
from tools import engine

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults-room")]

TIMEOUT_S = 15
SLACK_S = 60
"""More than an up takes that waits for nothing, far less than the default timeout."""

HURRIED = {"timeoutSeconds": TIMEOUT_S}


@pytest.fixture(autouse=True)
def deployed(project: Project) -> None:
    """One demo, which runs."""
    project.configure(demos={"signal": {}})
    project.up()


def somebody_elses(cluster: Cluster, namespace: str, name: str, memory: str) -> None:
    """A pod that takes room, and nothing else."""
    image = engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]["images"]["shell"]
    container: Object = {
        "name": "app",
        "image": image,
        "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"],
        "resources": {
            "requests": {"cpu": "1m", "memory": memory},
            "limits": {"cpu": "10m", "memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    security: Object = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    spec = {"containers": [container], "securityContext": security}
    cluster.core.create_namespaced_pod(namespace, {"metadata": {"name": name}, "spec": spec})


def fails(project: Project) -> str:
    """What an up says that fails, no later than its timeout."""
    started = time.monotonic()
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert time.monotonic() - started < TIMEOUT_S + SLACK_S
    assert done.code != 0
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


def test_a_node_without_room_is_told_with_the_schedulers_reason(
    local_cluster: Cluster, project: Project
) -> None:
    # Of memory, since all other tests together request little of it.
    node = local_cluster.core.list_node().items[0]
    there = parse_quantity(node.status.allocatable["memory"])
    much = {"memory": f"{there * 3 / 10:.0f}"}
    options = {"resources": {"main-app": {"requests": much, "limits": much}}}
    demos: dict[str, Any] = {
        "signal": options,
        "second": {"demo": "signal", "workload": "pod", **options},
    }
    somebody_elses(local_cluster, project.namespace, "most", f"{there * 8 / 10:.0f}")
    project.configure(demos=demos, defaults=HURRIED)
    said = fails(project)
    reason = "Unschedulable: 0/1 nodes are available: 1 Insufficient memory."
    for what in (f"Deployment {project.namespace}/signal", f"Pod {project.namespace}/second"):
        assert f"{what}-demo is not ready after {TIMEOUT_S} s: " in said, said
    assert said.count(reason) >= 2, said
    local_cluster.core.delete_namespaced_pod("most", project.namespace)
    project.configure(demos=demos)
    project.up()
    assert_converged(project)
    project.verify()


def test_a_quota_that_others_use_up_is_named_with_the_demo(
    local_cluster: Cluster, project: Project
) -> None:
    # It fits the demos and a rolling update: by itself the stack is right.
    quota = {"pods": "4"}
    demos: dict[str, Any] = {
        "signal": {},
        "second": {"demo": "signal"},
        "third": {"demo": "signal", "workload": "pod"},
    }
    others = ["one", "two", "three"]
    for name in others:
        somebody_elses(local_cluster, project.namespace, name, "16Mi")
    refused = (
        "is forbidden: exceeded quota: quota, requested: pods=1, used: pods=4, limited: pods=4"
    )
    # One after the other: the Pod is refused at once, and that ends the up.
    chosen = {key: demos[key] for key in ("signal", "third")}
    project.configure(demos=chosen, quota=quota, defaults=HURRIED)
    said = fails(project)
    assert f'pods "third-demo" {refused}' in said
    chosen = {key: demos[key] for key in ("signal", "second")}
    project.configure(demos=chosen, quota=quota, defaults=HURRIED)
    said = fails(project)
    assert f"Deployment {project.namespace}/second-demo is not ready after {TIMEOUT_S} s: " in said
    assert 'FailedCreate: pods "second-demo-' in said
    assert refused in said
    assert is_ready(local_cluster.pod(project.namespace, "signal"))
    for name in others:
        local_cluster.core.delete_namespaced_pod(name, project.namespace)
    # Kubernetes tries again by itself, after at most as long as there was no room.
    project.configure(demos=demos, quota=quota)
    project.up()
    assert_converged(project)
    project.verify()
