"""The stand-in waits as the published plugin does, and says why something is not ready."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi_kubernetes.core.v1 import ResourceQuota

from tests.cluster.faults import output
from tests.cluster.provider_stack import (
    Stack,
    apps_api,
    container,
    core_api,
    deployment,
    named,
    pod,
    throw_away,
)
from tools.provider.objects import Api, Ref

TIMEOUT_S = 15
"""Long enough for a first crash and its restart."""


pytestmark = pytest.mark.usefixtures("local_cluster")


@pytest.fixture
def stack(local_cluster: object, tmp_path: Path) -> Iterator[Stack]:
    with throw_away(tmp_path) as made:
        yield made


def failing_pods() -> dict[str, tuple[dict[str, Any], str]]:
    """The spec of a pod that does not become ready, and what should be said of it, by name."""
    crash = "echo the reason; exit 7"
    native: dict[str, Any] = {"restartPolicy": "Always"}
    unready = {"exec": {"command": ["sh", "-c", "echo not yet; exit 1"]}, "periodSeconds": 1}
    tight = {"limits": {"memory": "16Mi"}}
    volume = {"name": "absent", "configMap": {"name": "absent"}}
    mounts = [{"name": "absent", "mountPath": "/absent"}]
    return {
        "no-image": (
            {"containers": [_image("localhost/absent:1")]},
            'container "app" (image localhost/absent:1): ErrImageNeverPull',
        ),
        "crash": (
            {"containers": [container(), _crashing("extra", crash)]},
            'container "extra" (image localhost/sidecar-powers/busybox:bookworm): '
            "CrashLoopBackOff: exit code 7; its last lines:\nthe reason",
        ),
        "crash-native": (
            {"initContainers": [_crashing("side", crash, **native)]},
            'native sidecar "side" (image localhost/sidecar-powers/busybox:bookworm): '
            "CrashLoopBackOff: exit code 7; its last lines:\nthe reason",
        ),
        "crash-init": (
            {"initContainers": [_crashing("setup", crash)]},
            'init container "setup" (image localhost/sidecar-powers/busybox:bookworm): '
            "CrashLoopBackOff: exit code 7; its last lines:\nthe reason",
        ),
        "failed": (
            {"containers": [_crashing("app", crash)], "restartPolicy": "Never"},
            "it has ended with exit code 7; its last lines:\nthe reason",
        ),
        "hog": (
            {"containers": [_crashing("app", "exec tail /dev/zero", resources=tight)]},
            "OOMKilled, exit code 137",
        ),
        "no-node": (
            {"nodeSelector": {"there": "is-none"}},
            "Unschedulable: 0/1 nodes are available",
        ),
        "no-config": (
            {"containers": [container(envFrom=[{"configMapRef": {"name": "absent"}}])]},
            'CreateContainerConfigError: configmap "absent" not found',
        ),
        "no-volume": (
            {"containers": [container(volumeMounts=mounts)], "volumes": [volume]},
            'FailedMount: MountVolume.SetUp failed for volume "absent"',
        ),
        "unready": (
            {"containers": [container(readinessProbe=unready)]},
            "it runs but is not ready; Unhealthy: Readiness probe failed: not yet",
        ),
        "unready-native": (
            {"initContainers": [container("side", readinessProbe=unready, **native)]},
            'native sidecar "side" (image localhost/sidecar-powers/busybox:bookworm): '
            "it runs but is not ready",
        ),
    }


def test_it_says_why_a_pod_is_not_ready_and_the_next_up_repairs_it(stack: Stack) -> None:
    cases = failing_pods()

    def broken() -> None:
        for name, (spec, _) in cases.items():
            pod(stack, name, spec, seconds=TIMEOUT_S)

    said = stack.failure(stack.up, broken)
    missing = {name: reason for name, (_, reason) in cases.items() if not _says(said, reason)}
    assert not missing, said
    assert f"Pod {stack.name}/no-image is not ready after {TIMEOUT_S} s" in said
    assert "Traceback" not in said
    # They exist, so the state must know them, or the next up would say that they exist already.
    kept = stack.resources()
    assert all(kept[name]["initErrors"] for name in cases)
    stack.refresh()
    assert all(stack.resources()[name]["initErrors"] for name in cases)
    repaired = stack.up(lambda: [pod(stack, name) for name in cases])
    assert repaired == {"replace": len(cases)}
    assert stack.up(lambda: [pod(stack, name) for name in cases]) == {"same": len(cases)}


def test_a_log_that_is_gone_is_not_taken_for_last_lines(stack: Stack) -> None:
    spec: dict[str, Any] = {**_one(_crashing("app", "echo the reason")), "restartPolicy": "Never"}
    stack.up(lambda: pod(stack, "ended", spec))
    api = Api(core_api().api_client)
    ended = Ref("v1", "Pod", stack.name, "ended")
    assert asyncio.run(api.log(ended, "app", False, 5)) == "the reason\n"
    (log,) = output(core_api().read_namespaced_pod(ended.name, stack.name), "app").iterdir()
    log.unlink()
    assert asyncio.run(Api(core_api().api_client).log(ended, "app", False, 5)) == ""


def test_it_waits_for_nothing_where_there_is_no_hope(stack: Stack) -> None:
    # Alone: its failure ends the update before others might have begun.
    spec: dict[str, Any] = {"containers": [_image("Not A Name")]}
    started = time.monotonic()
    said = stack.failure(stack.up, lambda: pod(stack, "bad-name", spec, seconds=120))
    assert time.monotonic() - started < 60
    assert f"Pod {stack.name}/bad-name is not ready: " in said
    assert 'container "app" (image Not A Name): InvalidImageName' in said
    assert stack.resources()["bad-name"]["initErrors"]


def test_it_says_why_a_deployment_is_not_rolled_out(stack: Stack) -> None:
    core_api().create_namespaced_resource_quota(
        stack.name, {"metadata": {"name": "quota"}, "spec": {"hard": {"requests.cpu": "1"}}}
    )
    small = {"requests": {"cpu": "10m"}}

    def program(broken: bool) -> None:
        big = {"requests": {"cpu": "2"}} if broken else small
        deployment(stack, "big", seconds=8, template=_one(container(resources=big)))
        crashing = container(resources=small)
        if broken:
            crashing = _crashing("app", "echo the reason; exit 7", resources=small)
        deployment(stack, "crash", seconds=TIMEOUT_S, template=_one(crashing))

    said = stack.failure(stack.up, lambda: program(True))
    assert "FailedCreate" in said
    assert "exceeded quota: quota, requested: requests.cpu=2" in said
    assert "CrashLoopBackOff: exit code 7; its last lines:\nthe reason" in _unindented(said)
    assert stack.up(lambda: program(False)) == {"update": 2}
    # A change that never becomes ready is told too, and the old pods go on.
    said = stack.failure(stack.up, lambda: program(True))
    assert "CrashLoopBackOff" in said


def test_an_update_is_done_when_the_new_pods_are_ready_and_the_old_ones_gone(stack: Stack) -> None:
    def program(value: str) -> None:
        ready = {"exec": {"command": ["true"]}, "initialDelaySeconds": 1, "periodSeconds": 1}
        env = [{"name": "VALUE", "value": value}]
        template = _one(container(env=env, readinessProbe=ready))
        deployment(stack, replicas=2, template=template)

    for value in ("1", "2"):
        stack.up(lambda v=value: program(v))
        status = apps_api().read_namespaced_deployment("web", stack.name).status
        assert (status.replicas, status.updated_replicas, status.available_replicas) == (2, 2, 2)
        pods = core_api().list_namespaced_pod(stack.name).items
        alive = [item for item in pods if item.metadata.deletion_timestamp is None]
        assert [item.spec.containers[0].env[0].value for item in alive] == [value] * 2


def test_annotations_set_the_timeout_and_skip_the_wait(stack: Stack) -> None:
    def program() -> None:
        absent = {"containers": [_image("localhost/absent:1")]}
        annotations = {"pulumi.com/skipAwait": "true"}
        pod(stack, "skipped", absent, metadata={"annotations": annotations})
        annotations = {"pulumi.com/timeoutSeconds": "3"}
        pod(stack, "hurried", absent, seconds=0, metadata={"annotations": annotations})

    start = time.monotonic()
    said = stack.failure(stack.up, program)
    assert time.monotonic() - start < 10
    assert "hurried is not ready after 3 s" in said
    assert "initErrors" not in stack.resources()["skipped"]


def test_a_pod_that_has_completed_is_ready(stack: Stack) -> None:
    done = container() | {"command": ["true"]}
    assert stack.up(lambda: pod(stack, spec={"containers": [done], "restartPolicy": "Never"})) == {
        "create": 1
    }


def test_ctrl_c_ends_the_wait_at_once_and_keeps_the_object(stack: Stack) -> None:
    def program() -> None:
        pod(stack, spec={"containers": [_image("localhost/absent:1")]})

    pressed = stack.interrupt(lambda: core_api().list_namespaced_pod(stack.name).items)
    said = stack.failure(stack.up, program)
    assert time.monotonic() - pressed.result() < 10
    assert "canceled while waiting" in said
    assert stack.resources()["pod"]["initErrors"]


def test_a_quota_has_room_again_for_the_successor_of_a_replaced_pod(stack: Stack) -> None:
    limits = {"limits": {"memory": "64Mi"}}

    def program(value: str) -> None:
        hard: Any = {"hard": {"limits.memory": "64Mi"}}
        quota = ResourceQuota("quota", metadata=named(stack, "quota"), spec=hard)
        spec = _one(container(resources=limits, env=[{"name": "VALUE", "value": value}]))
        pod(stack, spec=spec, depends_on=[quota])

    stack.up(lambda: program("1"))
    assert stack.preview(lambda: program("2")) == {"replace": 1, "same": 1}
    assert stack.up(lambda: program("2")) == {"replace": 1, "same": 1}


def _one(only: dict[str, Any]) -> dict[str, Any]:
    return {"containers": [only]}


def _image(image: str) -> dict[str, Any]:
    return container() | {"image": image, "imagePullPolicy": "Never"}


def _crashing(name: str, command: str, **more: Any) -> dict[str, Any]:
    # Without a probe it could count as ready for a moment.
    probe = {} if name == "setup" else {"readinessProbe": {"exec": {"command": ["false"]}}}
    return container(name, **probe, **more) | {"command": ["sh", "-c", command]}


def _says(said: str, reason: str) -> bool:
    # What crashes again and again may run just at that moment.
    runs = r"it runs but is not ready, after \d+ restarts, the last with"
    pattern = re.escape(reason).replace(r"CrashLoopBackOff:", rf"(CrashLoopBackOff:|{runs})")
    return re.search(pattern, _unindented(said)) is not None


def _unindented(text: str) -> str:
    """The CLI indents the lines of a message."""
    return "\n".join(line.strip() for line in text.splitlines())
