"""A toolbox is an exception, and what it adds to a pod is no more than it needs."""

from typing import Any

import pytest

from components.debug import Debug
from tests.unit.hardening import assert_hardened, users
from tests.unit.recorder import Object, containers, outputs, pod_of, registered
from tests.unit.test_settings import parsed, problems


def found(args: Any) -> Object:
    return pod_of(registered(lambda: Debug("debug-demo", args)).one("Deployment"))


@pytest.mark.parametrize("args", [{}, {"toolbox": False}])
def test_without_a_toolbox_the_app_is_alone(args: Any) -> None:
    pod = found(args)
    assert containers(pod).keys() == {"main-app"}
    assert not {"shareProcessNamespace", "initContainers"} & pod["spec"].keys()


def test_a_toolbox_shares_the_pods_processes_and_no_volume_of_the_app() -> None:
    pod = found({"toolbox": True})
    assert pod["spec"]["shareProcessNamespace"] is True
    assert containers(pod).keys() == {"toolbox", "main-app"}
    assert users(pod, "data") == ["main-app"]
    assert users(pod, "toolbox-tmp") == ["toolbox"]


def test_a_toolbox_has_no_right_that_others_lack() -> None:
    pod = found({"toolbox": True})
    assert_hardened(pod, labeler="nobody")
    assert "runAsUser" not in containers(pod)["toolbox"]["securityContext"]


def test_a_session_can_fill_no_disk_and_so_evict_nobody() -> None:
    (volume,) = [
        item for item in found({"toolbox": True})["spec"]["volumes"] if item["name"] != "data"
    ]
    assert volume["emptyDir"]["medium"] == "Memory"


def test_the_target_is_an_argument_of_the_app_and_of_nothing_else() -> None:
    both = containers(found({"toolbox": True}))
    target = {item["name"]: item["value"] for item in both["toolbox"]["env"]}["TARGET"]
    assert target in both["main-app"]["command"]
    assert target not in both["toolbox"]["command"]


def test_deadline_and_intervals_are_arguments() -> None:
    args = {"deadline_seconds": 60, "interval_seconds": 2, "app_interval_seconds": 3}
    both = containers(found({"toolbox": True, **args}))
    assert both["toolbox"]["command"][-2:] == ["60", "2"]
    assert both["main-app"]["command"][-1] == "3"


def test_a_toolbox_has_an_image_of_its_own_role() -> None:
    both = containers(found({"toolbox": True, "images": {"toolbox": "localhost/tools:1"}}))
    assert both["toolbox"]["image"] == "localhost/tools:1"
    assert both["main-app"]["image"] != "localhost/tools:1"


def test_a_deadline_of_no_toolbox_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^deadline_seconds: found 60, allowed is with toolbox"):
        Debug("debug-demo", {"deadline_seconds": 60})
    for off in ({}, {"toolbox": False}):
        assert problems({"debug": {**off, "deadlineSeconds": 60}}) == [
            "demos.debug.deadlineSeconds: found 60, allowed is with toolbox true"
        ]


def test_a_stack_files_options_reach_the_component() -> None:
    args = parsed({"debug": {"toolbox": True, "deadlineSeconds": 60}}).demos["debug"].args
    assert (args["toolbox"], args["deadline_seconds"]) == (True, 60)


@pytest.mark.parametrize("option", [{"toolbox": "true"}, {"toolbox": 1}])
def test_a_toolbox_is_asked_for_with_true_alone(option: Any) -> None:
    (problem,) = problems({"debug": option})
    assert problem.startswith("demos.debug.toolbox: found ")


def test_the_commands_are_those_of_the_containers_that_there_are() -> None:
    values: list[Object] = []

    def program() -> None:
        values.append(outputs(Debug("off", {}), ["commands"]))
        values.append(outputs(Debug("on", {"toolbox": True}), ["commands"]))

    registered(program)
    assert ["-c toolbox" in " ".join(value["commands"]) for value in values] == [False, True]
