"""What a stack's pods may take by its budget."""

from typing import Any

import pytest

from stacks.budget import exceeded
from stacks.settings import PROJECT, SettingsError, read
from tests.unit.recorder import Object
from tools import engine
from tools.render import render


def deployment(name: str, memory: str, replicas: int = 1) -> Object:
    container = {"resources": {"limits": {"memory": memory}}}
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": spec}


OBJECTS: list[Object] = [
    {"kind": "Namespace", "metadata": {"name": "here"}},
    deployment("small", "16Mi"),
    deployment("large", "64Mi", replicas=2),
    {**deployment("middle", "32Mi"), "kind": "Pod", "spec": {"containers": []}},
    deployment("also-small", "16Mi"),
]


def test_what_all_pods_take_may_be_the_whole_budget() -> None:
    assert exceeded({"limits.memory": "160Mi", "pods": "5"}, OBJECTS) == []
    assert exceeded({}, OBJECTS) == []


def test_a_budget_that_is_exceeded_is_told_with_both_numbers_and_the_largest() -> None:
    assert exceeded({"limits.memory": "159Mi", "pods": "4", "limits.cpu": "0"}, OBJECTS) == [
        "budget.limits.memory: found 160Mi, allowed is 159Mi: 1Mi too much."
        " Most takes large (128Mi), also-small (16Mi), small (16Mi)",
        "budget.pods: found 5, allowed is 4: 1 too much."
        " Most takes large (2), also-small (1), middle (1)",
    ]


def settings(budget: Any) -> dict[str, Any]:
    return {
        f"{PROJECT}:namespace": "here",
        f"{PROJECT}:demos": {"signal": {}},
        f"{PROJECT}:budget": budget,
    }


def test_a_stack_that_exceeds_its_budget_can_be_rendered() -> None:
    config = settings({"limits.memory": "1Mi"})
    objects = [item.object for item in render("dev", config=config)]
    assert exceeded(read(config).settings.budget, objects) == [
        "budget.limits.memory: found 128Mi, allowed is 1Mi: 127Mi too much."
        " Most takes signal-demo (128Mi)"
    ]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_environment_keeps_to_its_budget(stack: str) -> None:
    budget = engine.stack_config(stack)["sidecar-powers:budget"]
    assert budget.keys() >= {"requests.cpu", "limits.memory"}
    assert exceeded(budget, [item.object for item in render(stack)]) == []


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"limit.memory": "1Gi"}, "budget.limit.memory: .*did you mean limits.memory"),
        ({"limits.memory": "lots"}, "budget.limits.memory: found 'lots'"),
        ({"pods": "1.5"}, "budget.pods: found 1.5, allowed is a whole number"),
        ({"pods": -1}, "budget.pods: found -1, a quantity can't be negative"),
        (5, "budget: found 5, allowed is a mapping"),
    ],
)
def test_a_wrong_budget_is_refused(budget: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        read(settings(budget))


def test_a_budget_that_is_left_empty_is_none() -> None:
    assert read(settings(None)).settings.budget == {}
