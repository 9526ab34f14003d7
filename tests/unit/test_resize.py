from typing import Any, cast

import pytest

from components.resize import Resize
from tests.unit.hardening import users
from tests.unit.recorder import Object, Registered, containers, outputs, pod_of, registered

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def everything(args: Any) -> Registered:
    return registered(lambda: Resize("resize-demo", args))


def found(args: Any) -> Object:
    return pod_of(everything(args).of("Deployment", "Pod")[0])


def resizer(args: Any) -> list[str]:
    """The arguments of the resizer's program."""
    return containers(found(args))["resizer"]["command"][6:]


def test_the_app_starts_with_the_most_it_may_get_reserved_and_allowed() -> None:
    for args, cpu in (({}, "200m"), ({"max_cpu": "0.5"}, "500m"), ({"min_cpu": "1"}, "1000m")):
        resources = containers(found(args))["main-app"]["resources"]
        assert resources["requests"]["cpu"] == resources["limits"]["cpu"] == cpu


def test_a_change_of_cpu_restarts_nothing() -> None:
    app = containers(found({}))["main-app"]
    assert app["resizePolicy"] == [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]


def test_only_the_resizer_has_the_token_which_expires() -> None:
    pod = found({})
    assert users(pod, "api-token") == ["resizer"]
    volume = next(item for item in pod["spec"]["volumes"] if item["name"] == "api-token")
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert 600 <= token["expirationSeconds"] <= 3600


def test_the_resizer_finds_the_app_in_the_pods_processes() -> None:
    pod = found({})
    assert pod["spec"]["shareProcessNamespace"] is True
    names = containers(pod)
    assert {"name": "MEASURED", "value": "main-app"} in names["resizer"]["env"]
    assert names["main-app"]["command"][3] == "main-app"


def test_the_resizer_knows_what_the_app_may_take_when_it_starts() -> None:
    env = {item["name"]: item for item in containers(found({}))["resizer"]["env"]}
    limit = {"containerName": "main-app", "resource": "limits.cpu", "divisor": "1m"}
    assert env["CPU_LIMIT"]["valueFrom"] == {"resourceFieldRef": limit}


def test_the_app_is_another_user_and_can_not_read_the_resizers_token_through_proc() -> None:
    pod = found({})
    names = containers(pod)
    assert "runAsUser" not in names["main-app"]["securityContext"]
    other = names["resizer"]["securityContext"]["runAsUser"]
    assert other != pod["spec"]["securityContext"]["runAsUser"]


def test_sidecar_and_policy_have_the_same_bounds() -> None:
    objects = everything({"min_cpu": "0.02", "max_cpu": "300m"})
    pod = pod_of(objects.one("Deployment"))
    assert containers(pod)["resizer"]["command"][6:8] == ["20", "300"]
    text = str(objects.one("ValidatingAdmissionPolicy")["spec"])
    assert "between 20m and 300m" in text


def test_intervals_headroom_load_and_account_are_arguments() -> None:
    args = {
        "interval_seconds": 7,
        "headroom_percent": 20,
        "load_seconds": 33,
        "service_account": "other",
    }
    assert resizer({}) == ["50", "200", "50", "10", TOKEN]
    assert resizer(args) == ["50", "200", "20", "7", TOKEN]
    objects = everything(args)
    pod = pod_of(objects.one("Deployment"))
    assert containers(pod)["main-app"]["command"][-1] == "33"
    assert pod["spec"]["serviceAccountName"] == objects.one("Role")["metadata"]["name"] == "other"


def test_a_pod_is_the_only_one_that_its_role_covers() -> None:
    role = everything({"workload": "pod"}).one("Role")
    assert role["rules"][0]["resourceNames"] == ["resize-demo"]
    assert "resourceNames" not in everything({}).one("Role")["rules"][0]


def test_what_it_may_do_exists_before_the_pod() -> None:
    names = everything({}).names
    assert names[-1] == "Deployment/resize-demo"
    assert "ValidatingAdmissionPolicyBinding/default.pod-resizer" in names


def test_the_policy_can_be_left_to_others() -> None:
    kinds = {item["kind"] for item in everything({"admission_policy": False})}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding", "Deployment"}


def test_the_most_is_what_the_pod_counts() -> None:
    values: Object = {}

    def program() -> None:
        component = Resize("resize-demo", {"max_cpu": "1"})
        values.update(all=outputs(component, ["requests", "limits"]))

    registered(program)
    assert values["all"]["limits"]["cpu"] == "1100m"
    assert values["all"]["requests"]["cpu"] == "1010m"


def test_the_apps_memory_is_an_argument_as_of_any_container() -> None:
    args = {"resources": {"main-app": {"limits": {"memory": "96Mi"}}}}
    assert containers(found(args))["main-app"]["resources"]["limits"] == {
        "cpu": "200m",
        "memory": "96Mi",
        "ephemeral-storage": "128Mi",
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"resources": {"main-app": {"requests": {"cpu": "10m"}}}},
            "^resources.main-app: found cpu, allowed is to say min_cpu and max_cpu$",
        ),
        ({"min_cpu": "5m"}, "^min_cpu: found '5m'"),
        ({"min_cpu": "300m", "max_cpu": "200m"}, "^max_cpu: found '200m', allowed is at least"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_registered(
    args: Object, message: str
) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            Resize("resize-demo", cast(Any, args))

    assert registered(program) == []
