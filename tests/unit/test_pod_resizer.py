from typing import Any, cast

import pytest

from components.pod_resizer import PodResizer, cpu_bounds
from tests.unit.recorder import Object, Registered, registered


def found(args: Any) -> Registered:
    return registered(lambda: PodResizer("resizer", args))


def validations(args: Any) -> dict[str, str]:
    """The policy's expressions by their messages."""
    spec = found(args).one("ValidatingAdmissionPolicy")["spec"]
    return {item["message"]: item["expression"] for item in spec["validations"]}


def test_the_role_lets_it_resize_pods_and_nothing_else() -> None:
    rules = found({}).one("Role")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]}]


def test_a_known_pod_narrows_the_role() -> None:
    assert found({"pod_name": "mine"}).one("Role")["rules"][0]["resourceNames"] == ["mine"]


def test_the_account_mounts_no_token_by_itself() -> None:
    assert found({}).one("ServiceAccount")["automountServiceAccountToken"] is False


def test_the_policy_denies_and_fails_closed_for_this_account_alone() -> None:
    objects = found({"namespace": "here", "name": "it"})
    policy = objects.one("ValidatingAdmissionPolicy")
    assert policy["metadata"] == {"name": "here.it"}
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert [item["expression"] for item in policy["spec"]["matchConditions"]] == [
        "request.userInfo.username == 'system:serviceaccount:here:it'"
    ]
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["pods", "pods/*"]
    binding = objects.one("ValidatingAdmissionPolicyBinding")["spec"]
    assert binding == {"policyName": "here.it", "validationActions": ["Deny"]}


def test_the_policy_has_the_bounds_of_requests_and_limits() -> None:
    told = validations({"min_cpu": "0.1", "max_cpu": "1"})
    text = told["pod-resizer may give main-app between 100m and 1000m of cpu"]
    for part in ("requests", "limits"):
        cpu = f"quantity(variables.after.{part}['cpu'])"
        assert f"{cpu}.compareTo(quantity('100m')) >= 0" in text
        assert f"{cpu}.compareTo(quantity('1000m')) <= 0" in text


def test_the_policy_names_the_container() -> None:
    told = validations({"container": "app"})
    assert "item.name == 'app'" in told["pod-resizer may resize no container but app"]
    assert "main-app" not in str(told)


def test_the_policy_can_be_left_to_others() -> None:
    kinds = {item["kind"] for item in found({"admission_policy": False})}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}


@pytest.mark.parametrize(
    ("args", "bounds"),
    [
        ((None, None), (50, 200)),
        (("20m", None), (20, 200)),
        (("300m", None), (300, 300)),
        ((None, "0.03"), (30, 30)),
        ((None, "1"), (50, 1000)),
        (("100m", "0.1"), (100, 100)),
    ],
)
def test_one_bound_moves_the_default_of_the_other_if_it_must(
    args: tuple[str | None, str | None], bounds: tuple[int, int]
) -> None:
    assert cpu_bounds(*args) == bounds


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"min_cpu": "9m"}, "^min_cpu: found '9m', allowed are whole millicores, 10m or more$"),
        ({"max_cpu": "10.5m"}, "^max_cpu: found '10.5m', allowed are whole millicores"),
        ({"max_cpu": "x"}, "^max_cpu: found 'x', 'x' is no quantity"),
        (
            {"min_cpu": "2", "max_cpu": "100m"},
            "^max_cpu: found '100m', allowed is at least min_cpu, 2$",
        ),
    ],
)
def test_bounds_that_are_none_are_refused_before_anything_is_registered(
    args: Object, message: str
) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            PodResizer("resizer", cast(Any, args))

    assert registered(program) == []
