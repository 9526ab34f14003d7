"""What is reckoned of pods is what the API server reckons: the quota's usage and the QoS class."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from kubernetes import client

from components.quantity import parse_quantity
from components.usage import KEYS, Usage, pod_usage, qos_class
from tests.cluster.project import Cluster, Object, Project

pytestmark = pytest.mark.xdist_group("usage")

PATIENCE_S = 30

QUOTA = {
    "requests.cpu": "4",
    "requests.memory": "4Gi",
    "requests.ephemeral-storage": "8Gi",
    "limits.cpu": "8",
    "limits.memory": "8Gi",
    "limits.ephemeral-storage": "16Gi",
    "pods": "20",
}


def resources(cpu: str, memory: str = "32Mi") -> Object:
    """Requests that are as high as the limits."""
    amounts = {"cpu": cpu, "memory": memory}
    return {"requests": amounts, "limits": amounts}


DEMOS: Object = {
    "signal": {
        "replicas": 2,
        "resources": {"main-app": resources("20m"), "signal-sender": resources("10m")},
    },
    # Its init container takes more than all that runs after it.
    "init-sidecar": {"resources": {"init-config": resources("200m", "256Mi")}},
    "shared-filesystem": {"workload": "pod", "sidecars": "classic"},
    "env-inherit": {"sidecars": "classic"},
    "bare": {"demo": "init-sidecar", "workload": "pod"},
}


@pytest.fixture(scope="module")
def deployed(project: Project) -> Project:
    """Demos of every form under a quota that has all keys."""
    assert QUOTA.keys() == {*KEYS}
    project.configure(demos=DEMOS, quota=QUOTA)
    project.up()
    return project


def used(cluster: Cluster, namespace: str) -> Usage:
    """What the namespace's quota says is used, {} before it knows."""
    status = cluster.core.read_namespaced_resource_quota("quota", namespace).status
    amounts: dict[str, str] = status.used or {}
    return {key: parse_quantity(text) for key, text in amounts.items()}


def test_a_stacks_totals_are_what_its_quota_counts(
    local_cluster: Cluster, deployed: Project
) -> None:
    totals: dict[str, str] = deployed.outputs()["totals"]
    predicted = {key: parse_quantity(text) for key, text in totals.items()}
    end = time.monotonic() + PATIENCE_S
    while (found := used(local_cluster, deployed.namespace)) != predicted:
        assert time.monotonic() < end, (found, predicted)
        time.sleep(1)


def test_a_demos_qos_class_is_the_one_that_its_pods_get(
    local_cluster: Cluster, deployed: Project
) -> None:
    classes = {key: demo["qosClass"] for key, demo in deployed.outputs()["demos"].items()}
    assert {*classes.values()} == {"Guaranteed", "Burstable"}
    for key, predicted in classes.items():
        selector = f"app.kubernetes.io/instance={key}-demo"
        pods = local_cluster.core.list_namespaced_pod(
            deployed.namespace, label_selector=selector
        ).items
        assert len(pods) == DEMOS[key].get("replicas", 1)
        assert {pod.status.qos_class for pod in pods} == {predicted}


def container(name: str, own: Object, **more: Any) -> Object:
    return {"name": name, "image": "none:1", "resources": own, **more}


def spec(*own: Object, **more: Any) -> Object:
    """A pod whose containers have these resources."""
    found = [container(f"app-{place}", item) for place, item in enumerate(own)]
    return {"containers": found, **more}


def init(name: str, own: Object) -> Object:
    return container(name, own)


def native(name: str, own: Object) -> Object:
    return container(name, own, restartPolicy="Always")


def level(part: str, cpu: str, memory: str) -> Object:
    return {part: {"cpu": cpu, "memory": memory}}


SMALL, LARGE = resources("100m"), resources("1", "1Gi")
BURSTABLE = {**level("requests", "100m", "32Mi"), **level("limits", "1", "64Mi")}
OVERHEAD = {"cpu": "250m", "memory": "120Mi"}

COUNTED: dict[str, Object] = {
    "two containers": spec(SMALL, BURSTABLE),
    "only limits": spec(level("limits", "1", "64Mi")),
    "storage": spec({**SMALL, "limits": {**SMALL["limits"], "ephemeral-storage": "1Gi"}}),
    "no amount": spec({**level("requests", "0", "0"), **level("limits", "1", "64Mi")}),
    "an init container that takes more": spec(SMALL, initContainers=[init("init", LARGE)]),
    "init containers that take less": spec(
        LARGE, initContainers=[init("one", SMALL), init("two", SMALL)]
    ),
    "a peak of each resource": spec(
        resources("10m", "1Gi"), initContainers=[init("init", resources("1", "1Mi"))]
    ),
    "an init container beside a native sidecar": spec(
        SMALL, initContainers=[native("native", BURSTABLE), init("init", LARGE)]
    ),
    "an init container before a native sidecar": spec(
        SMALL, initContainers=[init("init", LARGE), native("native", BURSTABLE)]
    ),
    "native sidecars around an init container": spec(
        SMALL,
        initContainers=[native("one", SMALL), init("init", LARGE), native("two", LARGE)],
    ),
    "the pod as a whole": spec({}, {}, resources=BURSTABLE),
    "the pod as a whole, guaranteed": spec(BURSTABLE, resources=LARGE),
    "the pod's limits, its containers' requests": spec(
        level("requests", "10m", "16Mi"),
        initContainers=[native("native", level("requests", "10m", "16Mi"))],
        resources=level("limits", "1", "1Gi"),
    ),
    "the pod's limits alone": spec({}, resources=level("limits", "1", "1Gi")),
    "the pod's requests alone": spec(SMALL, resources=level("requests", "1", "1Gi")),
    "one limit of the pod": spec(BURSTABLE, resources={"limits": {"cpu": "2"}}),
    "overhead": spec(BURSTABLE, overhead=OVERHEAD),
    "overhead of a pod that has limits": spec({}, resources=LARGE, overhead=OVERHEAD),
}

UNCOUNTED: dict[str, Object] = {
    "nothing": spec({}),
    "nothing in one of two": spec(SMALL, {}),
    "an init container that says nothing": spec(SMALL, initContainers=[init("init", {})]),
    "storage alone": spec({"limits": {"ephemeral-storage": "1Gi"}}),
    "requests of 0": spec(level("requests", "0", "0")),
    "limits of 0": spec(level("limits", "0", "0")),
    "a CPU limit alone": spec({"limits": {"cpu": "1"}}),
    "a pod that says nothing as a whole": spec(SMALL, resources={}),
    "a request of the pod alone": spec({}, resources={"requests": {"cpu": "1"}}),
}
"""Those that a quota refuses, since it wants to know what each container takes."""


@pytest.fixture(scope="module")
def runtime_class(local_cluster: Cluster) -> Iterator[str]:
    """A runtime whose pods have an overhead."""
    api = cast(Any, client).NodeV1Api(local_cluster.core.api_client)
    name = f"e2e-{secrets.token_hex(4)}"
    body: Object = {
        "metadata": {"name": name},
        "handler": "runc",
        "overhead": {"podFixed": OVERHEAD},
    }
    api.create_runtime_class(body)
    yield name
    api.delete_runtime_class(name)


@pytest.fixture(scope="module")
def namespace(local_cluster: Cluster) -> Iterator[str]:
    """A namespace with nothing in it but a quota that has all keys."""
    core, name = local_cluster.core, f"e2e-{secrets.token_hex(4)}"
    core.create_namespace({"metadata": {"name": name}})
    hard = dict.fromkeys(QUOTA, "1T")
    core.create_namespaced_resource_quota(
        name, {"metadata": {"name": "quota"}, "spec": {"hard": hard}}
    )
    end = time.monotonic() + PATIENCE_S
    while not used(local_cluster, name) or not core.list_namespaced_service_account(name).items:
        assert time.monotonic() < end
        time.sleep(0.2)
    yield name
    core.delete_namespace(name)


@pytest.fixture(scope="module")
def create(local_cluster: Cluster, runtime_class: str) -> Callable[..., Any]:
    """Creates a pod that never starts in a namespace."""

    def pod(namespace: str, spec: Object, **options: Any) -> Any:
        held = {"schedulingGates": [{"name": "example.org/never"}], **spec}
        if "overhead" in spec:
            held["runtimeClassName"] = runtime_class
        body = {"metadata": {"generateName": "pod-"}, "spec": held}
        return local_cluster.core.create_namespaced_pod(namespace, body, **options)

    return pod


@pytest.mark.parametrize("what", COUNTED)
def test_a_pod_counts_what_the_quota_counts(
    local_cluster: Cluster, namespace: str, create: Callable[..., Any], what: str
) -> None:
    before = used(local_cluster, namespace)
    create(namespace, COUNTED[what])
    after = used(local_cluster, namespace)
    assert {key: after[key] - before[key] for key in KEYS} == pod_usage(COUNTED[what])


@pytest.mark.parametrize("what", [*COUNTED, *UNCOUNTED])
def test_a_pod_gets_the_predicted_qos_class(create: Callable[..., Any], what: str) -> None:
    pod = (COUNTED | UNCOUNTED)[what]
    assert create("default", pod, dry_run="All").status.qos_class == qos_class(pod)
