from typing import Any

from components.signal import Signal
from tests.unit.recorder import Object, containers, pod_of, registered


def found(args: Any) -> Object:
    return pod_of(registered(lambda: Signal("signal-demo", args)).one("Deployment"))


def test_processes_see_each_other_and_have_the_same_user() -> None:
    pod = found({})
    assert pod["spec"]["shareProcessNamespace"] is True
    for container in containers(pod).values():
        assert "runAsUser" not in container["securityContext"]


def test_the_target_is_an_argument_of_the_app_and_of_nothing_else() -> None:
    both = containers(found({}))
    target = {item["name"]: item["value"] for item in both["signal-sender"]["env"]}["TARGET"]
    assert target in both["main-app"]["command"]
    assert target not in both["signal-sender"]["command"]


def test_message_and_intervals_are_arguments() -> None:
    both = containers(found({"message": "hi", "interval_seconds": 3, "app_interval_seconds": 1}))
    assert both["main-app"]["command"][-2:] == ["hi", "1"]
    assert both["signal-sender"]["command"][-1] == "3"
