from typing import Any

from components.env_inherit import EnvInherit
from tests.unit.recorder import Object, Registered, containers, pod_of, registered

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def everything(args: Any) -> Registered:
    return registered(lambda: EnvInherit("env-inherit-demo", args))


def found(args: Any) -> Object:
    return pod_of(everything(args).of("Deployment", "Pod")[0])


def test_only_the_sidecar_has_the_token() -> None:
    for name, container in containers(found({})).items():
        paths = [item["mountPath"] for item in container.get("volumeMounts", [])]
        assert (TOKEN in paths) == (name == "version-updater")


def test_the_token_is_read_only_and_expires() -> None:
    pod = found({})
    volume = next(item for item in pod["spec"]["volumes"] if item["name"] == "api-token")
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert 600 <= token["expirationSeconds"] <= 3600
    assert containers(pod)["version-updater"]["volumeMounts"][0]["readOnly"] is True


def test_the_app_reads_the_label_as_a_file_of_the_downward_api() -> None:
    pod = found({})
    volume = next(item for item in pod["spec"]["volumes"] if item["name"] == "podinfo")
    path = {"fieldPath": "metadata.labels['version']"}
    assert volume["downwardAPI"]["items"] == [{"path": "version", "fieldRef": path}]
    assert containers(pod)["main-app"]["command"][-2:] == ["/etc/podinfo/version", "10"]
    assert pod["metadata"]["labels"]["version"] == "1.0.0"


def test_a_pod_is_the_only_one_that_its_role_covers() -> None:
    role = everything({"workload": "pod"}).one("Role")
    assert role["rules"][0]["resourceNames"] == ["env-inherit-demo"]
    assert "resourceNames" not in everything({}).one("Role")["rules"][0]


def test_the_labeler_exists_before_the_pod() -> None:
    names = everything({}).names
    assert names.index("Deployment/env-inherit-demo") > names.index("RoleBinding/pod-labeler")
    assert names[-1] == "Deployment/env-inherit-demo"


def test_the_policy_can_be_left_to_others() -> None:
    kinds = {item["kind"] for item in everything({"admission_policy": False})}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding", "Deployment"}


def test_service_account_version_and_intervals_are_arguments() -> None:
    args = {
        "service_account": "other",
        "initial_version": "2",
        "interval_seconds": 7,
        "app_interval_seconds": 3,
    }
    objects = everything(args)
    pod = pod_of(objects.one("Deployment"))
    assert pod["spec"]["serviceAccountName"] == objects.one("ServiceAccount")["metadata"]["name"]
    assert pod["spec"]["serviceAccountName"] == "other"
    assert pod["metadata"]["labels"]["version"] == "2"
    assert containers(pod)["version-updater"]["command"][-3:] == ["version", "7", TOKEN]
    assert containers(pod)["main-app"]["command"][-1] == "3"
