import re
from datetime import date
from typing import Any

import pytest

from components.graceful_shutdown import GracefulShutdown
from policy.judge import judged
from policy.manifests import Manifests
from policy.rules import RULES
from stacks.settings import PROJECT, SettingsError, read
from tests.unit.hardening import users
from tests.unit.recorder import Object, Registered, containers, pod_of, registered

NAME = "graceful-shutdown-demo"
DRAIN = "sidecar-powers/drain-seconds"


def found(args: Any) -> Registered:
    return registered(lambda: GracefulShutdown(NAME, args))


def pod(args: Any) -> Object:
    return pod_of(found(args).one("Deployment"))


def hook(container: Object) -> str:
    return container["lifecycle"]["preStop"]["exec"]["command"][-1]


def test_the_service_leads_to_the_port_of_the_app_and_to_no_other_pod() -> None:
    objects = found({"namespace": "here", "port": 9090})
    service, deployment = objects.one("Service", NAME), objects.one("Deployment", NAME)
    assert service["metadata"]["namespace"] == "here"
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (9090, "http")
    app = containers(pod_of(deployment))["main-app"]
    assert app["ports"] == [{"name": "http", "containerPort": 9090}]


def test_the_hook_says_that_the_pod_drains_and_waits_by_itself() -> None:
    app = containers(pod({"pre_stop_seconds": 7}))["main-app"]
    assert hook(app) == "echo draining >/drain/draining; sleep 7"


def test_the_pod_says_how_long_it_drains_and_has_the_time_for_it() -> None:
    template = pod({"drain_seconds": 60, "grace_period_seconds": 90})
    assert template["metadata"]["annotations"] == {DRAIN: "60"}
    assert template["spec"]["terminationGracePeriodSeconds"] == 90
    for container in containers(template).values():
        assert "60" in container["command"][4:]


@pytest.mark.parametrize(
    ("pre_stop", "seconds"), [(1, 2), (2, 2), (3, 2), (5, 4), (6, 4), (7, 6), (30, 28)]
)
def test_the_kubelet_believes_the_sidecar_when_the_hook_is_all_but_over(
    pre_stop: int, seconds: int
) -> None:
    args = {"pre_stop_seconds": pre_stop, "grace_period_seconds": 60}
    probe = containers(pod(args))["drain-keeper"]["readinessProbe"]
    assert probe["httpGet"] == {"path": "/ready", "port": "ready"}
    assert probe["failureThreshold"] * probe["periodSeconds"] == seconds


def test_only_a_classic_sidecar_has_to_wait_for_the_app() -> None:
    assert "lifecycle" not in containers(pod({}))["drain-keeper"]
    classic = containers(pod({"sidecars": "classic", "pre_stop_seconds": 7}))["drain-keeper"]
    assert hook(classic) == "sleep 7"


def test_both_share_what_they_tell_each_other_and_nothing_else() -> None:
    template = pod({})
    assert users(template, "state") == ["drain-keeper", "main-app"]
    assert users(template, "tmp") == ["main-app"]
    assert [volume["name"] for volume in template["spec"]["volumes"]] == ["state", "tmp"]
    assert "shareProcessNamespace" not in template["spec"]


@pytest.mark.parametrize("sidecars", ["native", "classic"])
def test_the_policy_finds_hook_and_draining_in_the_manifest(sidecars: str) -> None:
    args = {"pre_stop_seconds": 10, "drain_seconds": 20, "grace_period_seconds": 35}
    deployment = found({**args, "sidecars": sidecars}).one("Deployment")
    (rule,) = [rule for rule in RULES if rule.name == "grace-period"]

    def said() -> list[str]:
        manifests = Manifests([{"kind": "Deployment", **deployment}])
        return [verdict.message for verdict in judged(manifests, [], date(2030, 1, 1), [rule])]

    assert said() == []
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 29
    (message,) = said()
    assert "found 29, allowed is at least 30: 10 for preStop, 20 to drain" in message


TOO_SHORT = [
    ({"grace_period_seconds": 24}, 24, "25: 5 for preStop, 15 to drain, 5 for the sidecars"),
    ({"pre_stop_seconds": 11}, 30, "31: 11 for preStop, 15 to drain, 5 for the sidecars"),
    ({"drain_seconds": 60}, 30, "70: 5 for preStop, 60 to drain, 5 for the sidecars"),
]


@pytest.mark.parametrize(("args", "grace", "needed"), TOO_SHORT)
def test_a_grace_period_that_is_too_short_is_refused_before_anything_is_registered(
    args: Any, grace: int, needed: str
) -> None:
    message = f"grace_period_seconds: found {grace}, allowed is at least {needed}"

    def program() -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            GracefulShutdown(NAME, args)

    assert registered(program) == []


def test_the_least_grace_period_is_taken() -> None:
    template = pod({"grace_period_seconds": 25})
    assert template["spec"]["terminationGracePeriodSeconds"] == 25


def test_the_port_at_which_the_sidecar_answers_is_taken() -> None:
    with pytest.raises(ValueError, match="port: found 8998, allowed is any other"):
        found({"port": 8998})


def refused(demo: Object, key: str = "it") -> list[str]:
    demos = {key: {"demo": "graceful-shutdown", **demo}}
    with pytest.raises(SettingsError) as error:
        read({f"{PROJECT}:namespace": "here", f"{PROJECT}:demos": demos})
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("demo", "message"),
    [
        ({"gracePeriodSeconds": 24}, "found 24, allowed is at least 25: 5 for preStop, 15 to"),
        ({"preStopSeconds": 11}, "found 30, allowed is at least 31: 11 for preStop, 15 to"),
        (
            {"preStopSeconds": 10, "drainSeconds": 20, "gracePeriodSeconds": 34},
            "found 34, allowed is at least 35: 10 for preStop, 20 to drain, 5 for the sidecars",
        ),
    ],
)
def test_a_stack_file_is_told_in_one_line_what_does_not_fit(demo: Object, message: str) -> None:
    (line,) = refused(demo)
    assert line.startswith(f"demos.it.gracePeriodSeconds: {message}")


@pytest.mark.parametrize(
    ("demo", "message"),
    [
        ({"preStopSeconds": 0}, "preStopSeconds: found 0, allowed is at least 1"),
        ({"drainSeconds": "15"}, "drainSeconds: found '15', allowed is a whole number"),
        ({"gracePeriodSeconds": 1.5}, "gracePeriodSeconds: found 1.5, allowed is a whole number"),
        ({"slowSeconds": 3601}, "slowSeconds: found 3601, allowed is at most 3600"),
        ({"port": 8998}, "port: found 8998, allowed is any other: the sidecar answers /ready"),
    ],
)
def test_a_stack_file_is_told_what_is_wrong(demo: Object, message: str) -> None:
    (line,) = refused(demo)
    assert line.startswith(f"demos.it.{message}")


def test_the_service_needs_a_name_that_is_one() -> None:
    assert refused({}, key="1-it") == [
        "demos.1-it: found '1-it-demo' for an object, allowed are 63 characters, first a letter"
    ]
