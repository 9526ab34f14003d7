"""What pods take, and their QoS class, by Kubernetes' rules."""

from decimal import Decimal
from typing import Any

import pytest

from components.quantity import parse_quantity, quantity_text
from components.usage import KEYS, pod_usage, pods, qos_class, total, workload_usage
from tests.unit.recorder import Object

ONE: Object = {"limits": {"cpu": "1", "memory": "1Gi"}}


def container(cpu: str, **more: str) -> Object:
    return {"resources": {"requests": {"cpu": cpu}, "limits": {}}, **more}


def pod(*resources: Object, **more: Any) -> Object:
    """A pod whose containers have these resources."""
    return {"containers": [{"resources": item} for item in resources], **more}


@pytest.mark.parametrize(
    ("init", "app", "expected"),
    [
        ([], ["1"], "1"),
        ([("3", "")], ["1"], "3"),
        ([("1", "")], ["1", "1"], "2"),
        ([("1", "Always")], ["1"], "2"),
        ([("1", "Always"), ("3", "")], ["1"], "4"),
        ([("3", ""), ("1", "Always")], ["1"], "3"),
        ([("1", "Always"), ("3", ""), ("1", "Always")], ["1"], "4"),
        ([("2", "Always"), ("2", "Always"), ("1", "")], ["2"], "6"),
    ],
)
def test_a_pod_needs_what_runs_at_the_same_time(
    init: list[tuple[str, str]], app: list[str], expected: str
) -> None:
    spec = {
        "initContainers": [container(cpu, restartPolicy=policy) for cpu, policy in init],
        "containers": [container(cpu) for cpu in app],
    }
    assert pod_usage(spec)["requests.cpu"] == Decimal(expected)


def test_each_resource_has_a_peak_of_its_own() -> None:
    init = {"resources": {"requests": {"cpu": "2", "memory": "1Mi"}}}
    usage = pod_usage(pod({"requests": {"cpu": "1", "memory": "2Mi"}}, initContainers=[init]))
    assert (usage["requests.cpu"], usage["requests.memory"]) == (2, 2 * 1024**2)


def test_a_request_that_is_not_given_is_as_high_as_the_limit() -> None:
    usage = pod_usage(pod({}, {"limits": {"cpu": 2}, "requests": {"memory": "1Mi"}}))
    assert usage["requests.cpu"] == usage["limits.cpu"] == 2
    assert (usage["requests.memory"], usage["limits.memory"]) == (1024**2, 0)


def test_what_is_null_is_not_given() -> None:
    spec: Object = {
        "initContainers": None,
        "overhead": None,
        "resources": None,
        "containers": [{"resources": {"requests": None, "limits": {"cpu": "1"}}}],
    }
    assert pod_usage(spec)["requests.cpu"] == 1


def test_the_overhead_is_requested_too_but_limits_only_what_is_limited() -> None:
    overhead = {"cpu": "250m", "memory": "120Mi"}
    usage = pod_usage(pod({"limits": {"cpu": "1"}}, overhead=overhead))
    assert (usage["requests.cpu"], usage["limits.cpu"]) == (Decimal("1.25"), Decimal("1.25"))
    assert (usage["requests.memory"], usage["limits.memory"]) == (120 * 1024**2, 0)


POD_LEVEL: list[tuple[Object, Object, tuple[str, str]]] = [
    ({"requests": {"cpu": "3"}, "limits": {"cpu": "4"}}, ONE, ("3", "4")),
    ({"limits": {"cpu": "4"}}, ONE, ("1", "4")),
    ({"limits": {"cpu": "4"}}, {}, ("4", "4")),
    ({"limits": {"cpu": "4"}}, {"requests": {"cpu": "0"}}, ("0", "4")),
    ({"requests": {"cpu": "3"}}, ONE, ("3", "1")),
    ({"limits": {"memory": "2Gi"}}, ONE, ("1", "1")),
    ({}, ONE, ("1", "1")),
]


@pytest.mark.parametrize(("whole", "resources", "expected"), POD_LEVEL)
def test_what_the_pod_as_a_whole_says_wins(
    whole: Object, resources: Object, expected: tuple[str, str]
) -> None:
    usage = pod_usage(pod(resources, resources=whole))
    assert (usage["requests.cpu"], usage["limits.cpu"]) == (*map(Decimal, expected),)


QOS: list[tuple[list[Object], str]] = [
    ([{}], "BestEffort"),
    ([{"requests": {"cpu": "1"}}], "Burstable"),
    ([ONE], "Guaranteed"),
    ([{**ONE, "requests": {"cpu": "1000m"}}], "Guaranteed"),
    ([{**ONE, "requests": {"cpu": "1m"}}], "Burstable"),
    ([{**ONE, "requests": {"cpu": "0"}}], "Burstable"),
    ([ONE, {}], "Burstable"),
    ([{"limits": {"cpu": "1"}}], "Burstable"),
    ([{"limits": {"ephemeral-storage": "1Gi"}}], "BestEffort"),
    ([{"requests": {"cpu": "0", "memory": 0}}], "BestEffort"),
    ([{"limits": {"cpu": "0", "memory": "0"}}], "BestEffort"),
    (
        [{**ONE, "requests": {"ephemeral-storage": "1Mi"}}],
        "Guaranteed",
    ),
]


@pytest.mark.parametrize(("resources", "expected"), QOS)
def test_the_qos_class_is_the_one_of_the_api_server(resources: list[Object], expected: str) -> None:
    assert qos_class(pod(*resources)) == expected


def test_init_containers_count_for_the_qos_class() -> None:
    assert qos_class(pod(ONE, initContainers=[{}])) == "Burstable"
    assert qos_class(pod(ONE, initContainers=[{"resources": ONE}])) == "Guaranteed"


@pytest.mark.parametrize(
    ("whole", "resources", "expected"),
    [
        (ONE, {}, "Guaranteed"),
        (ONE, {"requests": {"cpu": "1m"}}, "Burstable"),
        (
            {**ONE, "requests": {"cpu": "1", "memory": "1Gi"}},
            {"requests": {"cpu": "1m"}},
            "Guaranteed",
        ),
        ({"limits": {"cpu": "1"}}, ONE, "Burstable"),
        ({"requests": {"cpu": "1"}}, ONE, "Burstable"),
        ({"limits": {"cpu": "0"}}, {"requests": {"memory": "1Gi"}}, "Burstable"),
        ({}, ONE, "BestEffort"),
    ],
)
def test_what_the_pod_as_a_whole_says_makes_its_qos_class(
    whole: Object, resources: Object, expected: str
) -> None:
    assert qos_class(pod(resources, resources=whole)) == expected


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet"])
@pytest.mark.parametrize(("replicas", "number"), [({}, 1), ({"replicas": 2.0}, 2)])
def test_a_workload_has_its_replicas(kind: str, replicas: Object, number: int) -> None:
    item = {"kind": kind, "spec": {**replicas, "template": {"spec": pod(ONE)}}}
    assert pods(item) == (pod(ONE), number)
    usage = workload_usage(item)
    assert usage.keys() == {*KEYS}
    assert (usage["limits.cpu"], usage["pods"]) == (number, number)


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "ConfigMap", "data": {}},
        {"kind": "Deployment", "spec": {"replicas": 0, "template": {"spec": pod(ONE)}}},
        {"kind": "Deployment", "spec": {}},
        {"kind": "Deployment"},
        {"kind": "Pod"},
        {"kind": "Pod", "spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}},
        {"kind": "Pod", "spec": {"containers": ["none"]}},
    ],
)
def test_what_has_no_pods_counts_nothing(item: Object) -> None:
    assert workload_usage(item) == {}


def test_a_total_has_all_keys() -> None:
    assert total([]) == dict.fromkeys(KEYS, 0)
    assert total([{"pods": Decimal(1)}, {"pods": Decimal(2)}])["pods"] == 3


@pytest.mark.parametrize(
    ("name", "quantity", "text"),
    [
        ("cpu", "1.5", "1500m"),
        ("requests.cpu", "0.0005", "0.5m"),
        ("memory", "2048Mi", "2Gi"),
        ("memory", "1.5Gi", "1536Mi"),
        ("limits.memory", "1M", "1000000"),
        ("ephemeral-storage", "0", "0Mi"),
        ("pods", "10", "10"),
        ("pods", "1e40", f"1{40 * '0'}"),
    ],
)
def test_an_amount_is_written_as_a_quantity_that_is_read_as_the_same(
    name: str, quantity: str, text: str
) -> None:
    assert quantity_text(name, parse_quantity(quantity)) == text
    assert parse_quantity(text) == parse_quantity(quantity)
