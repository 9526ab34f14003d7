"""What a stack's pods need of their namespace's quota."""

from typing import Any

import pytest

from stacks.quota import misfits
from stacks.settings import PROJECT, SettingsError, read


def container(cpu: str) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}}


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
