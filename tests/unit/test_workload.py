"""What holds for every pattern, in each form."""

import re
from typing import Any, cast

import pulumi
import pytest

from components.env_inherit import EnvInherit
from components.init_sidecar import InitSidecar
from components.pod_labeler import PodLabeler
from components.pod_resizer import PodResizer
from components.resize import Resize
from components.resource import Resource
from components.restricted_namespace import RestrictedNamespace
from components.shared_filesystem import SharedFilesystem
from components.signal import Signal
from tests.unit.hardening import assert_hardened
from tests.unit.patterns import PATTERNS, SIDECARS, args_of
from tests.unit.recorder import Object, containers, outputs, pod_of, registered

FORMS = [
    {"workload": workload, "sidecars": sidecars}
    for workload in ("deployment", "pod")
    for sidecars in ("native", "classic")
]
EDITED = {
    "env-inherit": ["metadata.labels.version"],
    "resize": [f"spec.containers[0].resources.{part}.cpu" for part in ("limits", "requests")],
}
"""What of a pod its sidecar changes."""
every_pattern = pytest.mark.parametrize("pattern", PATTERNS)
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))


def workload(pattern: str, args: Any) -> Object:
    every, named = args_of(pattern, **SIDECARS.get(pattern, {}), **args), f"{pattern}-demo"
    objects = registered(lambda: PATTERNS[pattern](named, every))
    return next(
        item for item in objects.of("Deployment", "Pod") if item["metadata"]["name"] == named
    )


@every_pattern
def test_empty_args_give_a_deployment_with_native_sidecars(pattern: str) -> None:
    deployment = workload(pattern, {})
    pod = pod_of(deployment)
    assert deployment["kind"] == "Deployment"
    assert deployment["metadata"]["name"] == f"{pattern}-demo"
    assert deployment["metadata"]["namespace"] == "default"
    assert [item["name"] for item in pod["spec"]["containers"]] == ["main-app"]
    assert "Always" in [item.get("restartPolicy") for item in pod["spec"]["initContainers"]]


@every_pattern
@every_form
def test_every_pod_is_hardened(pattern: str, form: Object) -> None:
    assert_hardened(pod_of(workload(pattern, form)))


@every_pattern
def test_default_images_have_a_tag_that_stays(pattern: str) -> None:
    for container in containers(pod_of(workload(pattern, {}))).values():
        assert re.fullmatch(
            r"[a-z/]+:(\d+\.\d+\.\d+(-alpine|-slim)?|v\d+\.\d+)", container["image"]
        )


@every_pattern
def test_native_sidecars_start_after_init_containers_and_restart(pattern: str) -> None:
    native = pod_of(workload(pattern, {}))["spec"]
    policies = [item.get("restartPolicy") for item in native["initContainers"]]
    assert policies == sorted(policies, key=lambda policy: policy == "Always")


@every_pattern
def test_classic_sidecars_stand_beside_the_app(pattern: str) -> None:
    native = pod_of(workload(pattern, {"sidecars": "native"}))
    classic = pod_of(workload(pattern, {"sidecars": "classic"}))
    assert classic["spec"]["containers"][0]["name"] == "main-app"
    assert len(classic["spec"]["containers"]) > 1
    assert not any("restartPolicy" in item for item in containers(classic).values())
    assert containers(native).keys() == containers(classic).keys()


@every_pattern
@every_form
def test_labels_are_the_recommended_ones_and_select_the_pods(pattern: str, form: Object) -> None:
    found = workload(pattern, form)
    labels = pod_of(found)["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == pattern
    assert labels["app.kubernetes.io/instance"] == f"{pattern}-demo"
    if found["kind"] == "Deployment":
        selected = found["spec"]["selector"]["matchLabels"]
        assert selected.items() <= labels.items()
        assert "version" not in selected


@every_pattern
def test_outputs_name_the_object_and_how_to_look_at_it(pattern: str) -> None:
    values: Object = {}
    names = ["kind", "name", "namespace", "qos_class", "commands"]

    def program() -> None:
        args = args_of(pattern, workload="pod", namespace="here")
        component = PATTERNS[pattern](f"{pattern}-demo", args)
        values.update(all=outputs(component, names))

    registered(program)
    found = values["all"]
    commands = found.pop("commands")
    assert found == {
        "kind": "Pod",
        "name": f"{pattern}-demo",
        "namespace": "here",
        "qos_class": "Burstable",
    }
    assert commands[0].startswith("kubectl -n here ")
    assert f"pod/{pattern}-demo" in commands[0]


def test_outputs_tell_what_each_pod_and_all_replicas_take() -> None:
    # The init container, which is over when the app starts, takes more than all others.
    args = {"replicas": 3, "resources": {"init-config": {"limits": {"cpu": "2"}}}}
    values: Object = {}

    def program() -> None:
        component = PATTERNS["init-sidecar"]("init-sidecar-demo", args)
        values.update(all=outputs(component, ["requests", "limits", "usage"]))

    registered(program)
    assert values["all"] == {
        "requests": {"cpu": "20m", "memory": "32Mi", "ephemeral-storage": "32Mi"},
        "limits": {"cpu": "2000m", "memory": "128Mi", "ephemeral-storage": "256Mi"},
        "usage": {
            "requests.cpu": "60m",
            "requests.memory": "96Mi",
            "requests.ephemeral-storage": "96Mi",
            "limits.cpu": "6000m",
            "limits.memory": "384Mi",
            "limits.ephemeral-storage": "768Mi",
            "pods": "3",
        },
    }


@every_pattern
def test_a_pods_spec_is_replaced_cleanly_and_what_its_sidecar_edits_left_alone(
    pattern: str,
) -> None:
    args = args_of(pattern, workload="pod")
    objects = registered(lambda: PATTERNS[pattern](f"{pattern}-demo", args))
    request = objects.requests[f"Pod/{pattern}-demo"]
    assert list(request.replaceOnChanges) == ["spec"]
    assert request.deleteBeforeReplace
    assert list(request.ignoreChanges) == EDITED.get(pattern, [])


def test_several_replicas_have_a_budget_and_are_spread() -> None:
    objects = registered(lambda: PATTERNS["signal"]("signal-demo", {"replicas": 3}))
    deployment, budget = objects.one("Deployment"), objects.one("PodDisruptionBudget")
    assert deployment["spec"]["replicas"] == 3
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1
    spread = pod_of(deployment)["spec"]["topologySpreadConstraints"][0]
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["labelSelector"] == deployment["spec"]["selector"]
    single = registered(lambda: PATTERNS["signal"]("signal-demo", {}))
    assert single.names == ["Deployment/signal-demo"]


def test_a_container_name_wins_over_a_role() -> None:
    images = {"shell": "example.org/shell:1", "signal-sender": "example.org/sender:1"}
    found = containers(pod_of(workload("signal", {"images": images})))
    assert found["main-app"]["image"] == "example.org/shell:1"
    assert found["signal-sender"]["image"] == "example.org/sender:1"


def test_resources_of_the_pattern_stand_between_default_and_argument() -> None:
    args = {
        "default_resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "resources": {"load-generator": {"limits": {"cpu": "300m"}}},
    }
    found = containers(pod_of(workload("resource", args)))["load-generator"]["resources"]["limits"]
    assert found["cpu"] == "300m"
    assert found["memory"] == "64Mi"
    del args["resources"]
    plain = containers(pod_of(workload("signal", args)))["main-app"]["resources"]["limits"]
    assert plain["cpu"] == "1"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"workload": "job"}, "workload: found 'job', allowed is deployment, pod"),
        ({"sidecars": "old"}, "sidecars: found 'old', allowed is native, classic"),
        ({"workload": "pod", "replicas": 2}, "replicas: found 2, a pod allows 1"),
        ({"images": {"shel": "a:1"}}, "images.shel: .* did you mean shell?"),
        (
            {"resources": {"main": {}}},
            "resources.main: found 'main', allowed is main-app, signal-sender",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_registered(
    args: Object, message: str
) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            PATTERNS["signal"]("signal-demo", args)

    assert registered(program) == []


@pytest.mark.parametrize(("args", "seconds"), [({}, 300), ({"timeout_seconds": 20}, 20)])
@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_what_is_not_ready_in_time_has_failed(args: Object, seconds: int, kind: str) -> None:
    form = {**args, "workload": kind.lower()}
    objects = registered(lambda: PATTERNS["signal"]("signal-demo", form))
    timeouts = objects.requests[f"{kind}/signal-demo"].customTimeouts
    assert (timeouts.create, timeouts.update) == (f"{seconds}s", f"{seconds}s")
    if kind == "Deployment":
        # To kubectl too.
        assert objects.one(kind)["spec"]["progressDeadlineSeconds"] == seconds


@pytest.mark.parametrize(
    ("component", "args", "message"),
    [
        (Signal, {"interval_second": 3}, "allowed is .*; did you mean interval_seconds\\?"),
        (Signal, {"intervalSeconds": 3}, "^intervalSeconds: is no key here"),
        (SharedFilesystem, {"size": "1Mi"}, "^size: is no key here"),
        (InitSidecar, {"text": "x"}, "^text: is no key here"),
        (EnvInherit, {"version": "1"}, "^version: is no key here"),
        (Resource, {"workers": 1}, "^workers: is no key here"),
        (PodLabeler, {"lable": "phase"}, "; did you mean label\\?"),
        (Resize, {"max_cpus": "1"}, "; did you mean max_cpu\\?"),
        (PodResizer, {"containers": "app"}, "; did you mean container\\?"),
        (RestrictedNamespace, {"protected": True}, "; did you mean protect\\?"),
    ],
)
def test_a_misspelt_argument_is_an_error_of_every_component(
    component: Any, args: Object, message: str
) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            component("it", args)

    assert registered(program) == []


def test_a_script_takes_no_value_that_nobody_knows_yet() -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=r"^signal-sender: its script takes plain values"):
            Signal("it", cast(Any, {"interval_seconds": pulumi.Output.from_input(7)}))

    assert registered(program) == []
