from typing import Any

from components.resource import Resource
from tests.unit.recorder import Object, containers, pod_of, registered


def found(args: Any) -> Object:
    return pod_of(registered(lambda: Resource("resource-demo", args)).one("Deployment"))


def test_requests_and_limits_are_those_of_the_article() -> None:
    expected = {
        "main-app": ("250m", "64Mi", "500m", "128Mi"),
        "resource-monitor": ("100m", "32Mi", "200m", "64Mi"),
        "load-generator": ("100m", "32Mi", "200m", "64Mi"),
    }
    for name, container in containers(found({})).items():
        parts = [container["resources"][part] for part in ("requests", "limits")]
        assert tuple(part[key] for part in parts for key in ("cpu", "memory")) == expected[name]


def test_the_monitor_can_see_the_processes_of_the_others() -> None:
    assert found({})["spec"]["shareProcessNamespace"] is True


def test_interval_workers_and_port_are_arguments() -> None:
    pod = containers(found({"interval_seconds": 1, "load_workers": 2, "port": 9090}))
    assert pod["resource-monitor"]["command"][-1] == "1"
    assert pod["load-generator"]["command"][-1] == "2"
    assert pod["main-app"]["command"][-1] == "9090"
