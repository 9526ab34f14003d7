"""Of a check that fails the likely cause is named: whose container, its own last lines, events."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from components.checks import UnmetError
from tools.status import Object
from tools.verify.causes import causes

OUTPUTS = {"kind": "Deployment", "name": "signal-demo", "namespace": "here"}
ENDED = {"exitCode": 137, "reason": "OOMKilled"}
RUNNING: Object = {"state": {"running": {}}, "ready": True, "restartCount": 0}


class Cluster:
    """A cluster with one demo, of which a check sees what it is given."""

    def __init__(self, *pods: Object, **logs: str) -> None:
        self._pods = pods
        self._logs = logs
        self.core = SimpleNamespace(read_namespaced_pod_log=self._log)
        self.deployment: Object = {}
        self.events: list[Object] = []

    def workload(self, _outputs: Object) -> Object:
        return self.deployment

    def pods(self, _outputs: Object) -> list[Object]:
        return list(self._pods)

    def warnings(self, _pod: Object) -> list[Object]:
        return self.events

    def _log(self, _pod: str, _namespace: str, **words: Any) -> Any:
        run = "before" if words["previous"] else "now"
        return SimpleNamespace(data=self._logs.get(run, "").encode())


def pod(status: Object, ready: bool = True, **more: Any) -> Object:
    """A pod with one container in that state."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": "signal-demo-1", "namespace": "here"},
        "spec": {"containers": [{"name": "main-app", "image": "shell:1"}]},
        "status": {
            "conditions": conditions,
            "containerStatuses": [{"name": "main-app", **status}],
            **more,
        },
    }


def named(cluster: Cluster, seen: str = "seen") -> list[str]:
    return causes(cast(Any, cluster), OUTPUTS, "", seen)


def test_of_a_pod_that_is_well_nothing_is_said() -> None:
    assert named(Cluster(pod(RUNNING), now="fine")) == []


def test_the_last_lines_are_those_of_the_run_that_died() -> None:
    status = {**RUNNING, "restartCount": 2, "lastState": {"terminated": ENDED}}
    (cause,) = named(Cluster(pod(status), before="dying words", now="well again"))
    assert 'container "main-app" (image shell:1)' in cause
    assert "started again 2 times" in cause
    assert "OOMKilled, exit code 137" in cause
    assert "dying words" in cause
    assert "well again" not in cause


def test_what_has_just_died_has_its_words_in_the_log_of_now() -> None:
    status = {"state": {"terminated": ENDED}, "ready": False, "restartCount": 0}
    (cause,) = named(Cluster(pod(status, ready=False), now="dying words"))
    assert "dying words" in cause


@pytest.mark.parametrize(
    "answer",
    [
        "unable to retrieve container logs for containerd://1",
        'failed to try resolving symlinks in path "/logs/1.log": lstat /logs/1.log: no such file',
    ],
)
def test_that_a_log_is_gone_is_not_taken_for_last_words(answer: str) -> None:
    status = {"state": {"terminated": ENDED}, "ready": False, "restartCount": 0}
    (cause,) = named(Cluster(pod(status, ready=False), now=answer))
    assert cause.endswith("OOMKilled, exit code 137")


@pytest.mark.parametrize(
    ("reason", "message"),
    [("FailedMount", 'configmap "x" not found'), ("Evicted", 'exceeds the limit "16Mi"')],
)
def test_of_a_pod_that_is_silent_the_last_event_tells(reason: str, message: str) -> None:
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0}
    cluster = Cluster(pod(waiting, ready=False))
    cluster.events = [
        {"reason": "Older", "message": "of no interest"},
        {"reason": reason, "message": message},
    ]
    assert named(cluster) == [f"pod signal-demo-1: {reason}: {message}"]


def test_a_pod_that_no_node_can_take_is_pending() -> None:
    item = pod({"state": {}, "restartCount": 0}, ready=False)
    item["status"] = {
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available",
            }
        ]
    }
    assert named(Cluster(item)) == [
        "pod signal-demo-1 is pending: Unschedulable: 0/1 nodes are available"
    ]


def test_a_deployment_that_can_make_no_pods_says_why() -> None:
    cluster = Cluster()
    message = "exceeded quota: quota"
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": message,
    }
    cluster.deployment = {"status": {"conditions": [condition]}}
    assert named(cluster) == [f"FailedCreate: {message}"]


def test_what_was_seen_already_is_no_cause() -> None:
    class Away(Cluster):
        def workload(self, _outputs: Object) -> Object:
            raise UnmetError("there is no Deployment signal-demo in namespace here")

    cluster = Away()
    assert named(cluster, "there is no Deployment signal-demo in namespace here") == []
    assert named(cluster) == ["there is no Deployment signal-demo in namespace here"]
