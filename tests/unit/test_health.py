"""The pod of health: who asks whom, who keeps what, and which arguments contradict each other."""

from typing import Any

import pytest

from components.health import Health
from tests.unit.hardening import users
from tests.unit.recorder import Object, containers, pod_of, registered


def pod(args: Any) -> Object:
    objects = registered(lambda: Health("health-demo", args))
    return pod_of(objects.one("Deployment"))


def keeper(args: Any) -> Object:
    return containers(pod(args))["health-keeper"]


def env(args: Any) -> dict[str, str]:
    return {item["name"]: item["value"] for item in keeper(args)["env"]}


def test_the_sidecar_asks_the_port_at_which_the_app_listens() -> None:
    both = containers(pod({"port": 9090}))
    assert both["main-app"]["ports"] == [{"name": "http", "containerPort": 9090}]
    assert "http://127.0.0.1:9090/" in both["health-keeper"]["command"]


def test_readiness_is_the_kubelets_and_liveness_the_sidecars() -> None:
    both = containers(pod({}))
    assert both["main-app"]["readinessProbe"]["httpGet"] == {"path": "/", "port": "http"}
    assert "livenessProbe" not in both["main-app"]
    # Of the sidecar the kubelet asks nothing, so that its failures take no pod out of service.
    assert not [key for key in both["health-keeper"] if key.endswith("Probe")]


def test_the_containers_share_their_processes() -> None:
    assert pod({})["spec"]["shareProcessNamespace"] is True
    assert env({})["TARGET"] == "main-app"


def test_dumps_and_records_are_the_sidecars_alone() -> None:
    template = pod({})
    assert users(template, "dumps") == users(template, "records") == ["health-keeper"]


def test_the_sidecar_is_told_at_once_that_the_pod_ends() -> None:
    hook = keeper({})["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["/bin/sh", "-c", ">/records/leaving"]


def test_every_patience_reaches_the_sidecar() -> None:
    args = {
        "slow_seconds": 11,
        "probe_timeout_seconds": 12,
        "failure_threshold": 13,
        "start_seconds": 14,
        "stop_seconds": 15,
        "backoff_seconds": 16,
        "restart_budget": 0,
        "budget_seconds": 18,
        "max_dumps": 19,
    }
    found = env(args)
    assert {name.lower(): int(found[name.upper()]) for name in args} == args
    assert keeper({"interval_seconds": 20})["command"][-1] == "20"


def test_the_signal_for_dumps_is_the_one_that_the_app_handles() -> None:
    both = containers(pod({"dump_signal": "USR2"}))
    assert both["main-app"]["command"][-1] == "USR2"
    assert env({"dump_signal": "USR2"})["DUMP_SIGNAL"] == "USR2"


def test_an_answer_may_be_slow_before_it_is_missing() -> None:
    assert env({"slow_seconds": 7})["PROBE_TIMEOUT_SECONDS"] == "10"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"probe_timeout_seconds": 2},
            "probe_timeout_seconds: found 2, allowed is more than slow_seconds, 2",
        ),
        ({"dump_signal": "QUIT"}, "dump_signal: found 'QUIT', allowed is USR1, USR2, HUP"),
        ({"max_dumps": 51}, "max_dumps: found 51, allowed is 1 to 50"),
    ],
)
def test_what_can_not_be_is_refused(args: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        pod(args)
