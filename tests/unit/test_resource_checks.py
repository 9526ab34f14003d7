"""The checks of resource pass on what it promises, and on nothing less."""

from collections.abc import Callable

import pytest

from components.checks import Line, resource
from tests.unit.simulated import (
    always,
    every,
    looked,
    named,
    refused,
    unchanging,
)

LIMITS = resource.checks({})
CPU = {"main-app": 50000, "resource-monitor": 20000, "load-generator": 20000}
MEMORY = {"main-app": 128 << 20, "resource-monitor": 64 << 20, "load-generator": 64 << 20}


def cgroup(
    version: int = 1, held: float = 0.9, busy: float = 1, **cpu: int
) -> Callable[[str, str, float], str]:
    """The kernel's files, with the load held in this part of its periods."""

    def answer(container: str, _command: str, now: float) -> str:
        periods = int(now * 10 * busy)
        quota = {**CPU, **cpu}[container]
        stat = f"nr_periods {periods} nr_throttled {int(periods * held)}"
        if version == 2:
            return f"cpu.max {quota} 100000\nmemory.max {MEMORY[container]}\ncpu.stat {stat}"
        return (
            f"cpu/cpu.cfs_quota_us {quota}\ncpu/cpu.cfs_period_us 100000\n"
            f"memory/memory.limit_in_bytes {MEMORY[container]}\ncpu/cpu.stat {stat}"
        )

    return answer


@pytest.mark.parametrize("version", [1, 2])
def test_limits_that_the_kernel_holds_pass(version: int) -> None:
    seen = looked(named(LIMITS, "cgroup limits"), answer=cgroup(version))
    assert "main-app 500m 128Mi" in seen


@pytest.mark.parametrize("quota", [-1, 40000])
def test_limits_that_the_kernel_does_not_hold_fail(quota: int) -> None:
    answer = cgroup(**{"main-app": quota})
    assert "configured {'cpu': '500m', 'memory': '128Mi'" in refused(
        named(LIMITS, "cgroup limits"), answer=answer
    )


def test_a_container_without_a_cgroup_fails() -> None:
    assert "no cgroup" in refused(named(LIMITS, "cgroup limits"), answer=always(""))


def test_a_load_that_is_throttled_beside_an_app_that_answers_passes() -> None:
    assert looked(named(LIMITS, "load throttled"), answer=cgroup())


def test_a_load_that_is_not_throttled_or_an_app_that_is_slow_fails() -> None:
    check = named(LIMITS, "load throttled")
    assert "throttled in" in refused(check, answer=cgroup(held=0.2))
    # What is hardly busy has few periods: others' commands in its cgroup.
    assert "in 4 s" in refused(check, answer=cgroup(busy=0.2))
    assert "after 1.5 s" in refused(check, answer=cgroup(), page_seconds=1.5)


def test_a_load_within_its_limit_is_not_expected_to_be_throttled() -> None:
    roomy = resource.checks({"resources": {"load-generator": {"limits": {"cpu": "4"}}}})
    for checks in (roomy, resource.checks({"load_workers": 0})):
        assert "load throttled" not in [check.name for check in checks]


def test_the_predicted_qos_class_passes_and_no_other() -> None:
    check = named(LIMITS, "QoS class")
    assert looked(check, manifest=unchanging({"status": {"qosClass": "Burstable"}}))
    found = refused(check, manifest=unchanging({"status": {"qosClass": "BestEffort"}}))
    assert found == "BestEffort"


def test_a_monitor_must_see_all_the_other_containers() -> None:
    check = named(LIMITS, "monitor sees all")

    def lists(*texts: str) -> dict[str, list[Line]]:
        return {"resource-monitor": every(5, lambda _: " ".join(texts))}

    own, load, nginx = "# monitor INTERVAL", "# generate-load WORKERS", "nginx: master process"
    assert looked(check, logs=lists(own, load, nginx))
    assert "no nginx" in refused(check, logs=lists(own, load))
    assert "no generate-load" in refused(check, logs=lists(own, nginx))
    ended = {"resource-monitor": lists(own, load, nginx)["resource-monitor"][:3]}
    assert "no nginx" in refused(check, logs=ended)
