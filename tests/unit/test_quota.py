"""What a stack's pods need of their namespace's quota."""

from decimal import Decimal
from typing import Any

import pytest

from stacks.quota import misfits, pod_usage
from stacks.settings import PROJECT, SettingsError, read


def container(cpu: str, **more: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}, "limits": {}}, **more}


@pytest.mark.parametrize(
    ("init", "app", "expected"),
    [
        ([], ["1"], "1"),
        ([("3", "")], ["1"], "3"),
        ([("1", "")], ["1", "1"], "2"),
        ([("1", "Always")], ["1"], "2"),
        ([("1", "Always"), ("3", "")], ["1"], "4"),
        ([("3", ""), ("1", "Always")], ["1"], "3"),
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


def test_a_request_that_is_not_given_is_as_high_as_the_limit() -> None:
    bare: dict[str, Any] = {"name": "bare"}
    limited = {"resources": {"limits": {"cpu": 2}, "requests": {"memory": "1Mi"}}}
    usage = pod_usage({"containers": [bare, limited]})
    assert usage["requests.cpu"] == usage["limits.cpu"] == 2
    assert (usage["requests.memory"], usage["limits.memory"]) == (1024**2, 0)


def test_all_replicas_and_the_largest_update_must_fit() -> None:
    small = {"containers": [container("100m")]}, {"workload": "deployment", "replicas": 2}
    large = {"containers": [container("300m")]}, {"workload": "deployment"}
    assert misfits({"requests.cpu": "800m", "pods": "4"}, [small, large]) == []
    assert misfits({"requests.cpu": "799m", "pods": "3"}, [small, large]) == [
        "quota.requests.cpu: found 799m, allowed is at least 800m:"
        " 500m for the demos, 300m for a rolling update",
        "quota.pods: found 3, allowed is at least 4: 3 for the demos, 1 for a rolling update",
    ]


def test_a_bare_pod_is_deleted_before_it_is_replaced() -> None:
    pod = {"containers": [container("300m")]}, {"workload": "pod"}
    assert misfits({"requests.cpu": "300m"}, [pod]) == []


def test_a_quota_that_is_too_small_is_refused() -> None:
    config: dict[str, Any] = {
        f"{PROJECT}:namespace": "here",
        f"{PROJECT}:demos": {"signal": {}},
        f"{PROJECT}:quota": {"limits.memory": "128Mi"},
    }
    with pytest.raises(SettingsError) as error:
        read(config)
    assert str(error.value) == (
        "quota.limits.memory: found 128Mi, allowed is at least 256Mi:"
        " 128Mi for the demos, 128Mi for a rolling update"
    )


def test_an_unknown_key_is_told_the_nearest_one() -> None:
    config: dict[str, Any] = {
        f"{PROJECT}:namespace": "here",
        f"{PROJECT}:demos": {"signal": {}},
        f"{PROJECT}:quota": {"limit.memory": "1Gi"},
    }
    with pytest.raises(
        SettingsError, match=r"^quota\.limit\.memory: .*did you mean limits\.memory"
    ):
        read(config)
