from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from components.secret_rotation import SecretRotation
from tests.unit.hardening import users
from tests.unit.recorder import Object, Registered, containers, pod_of, registered

TOKEN = "unit-tests-know-it"


def found(**args: Any) -> Registered:
    every: Any = {"token": TOKEN, **args}
    return registered(lambda: SecretRotation("secret-rotation-demo", every))


def pod(**args: Any) -> Object:
    return pod_of(found(**args).one("Deployment"))


def test_the_secret_has_the_token_and_is_found_by_its_labels() -> None:
    secret = found(namespace="here").one("Secret", "secret-rotation-demo")
    assert secret["type"] == "Opaque"
    assert unwrap_rpc_secret(secret["stringData"]) == {"token": TOKEN}
    assert secret["metadata"]["namespace"] == "here"
    assert secret["metadata"]["labels"]["app.kubernetes.io/instance"] == "secret-rotation-demo"


@pytest.mark.parametrize("token", [TOKEN, pulumi.Output.from_input(TOKEN)], ids=["text", "output"])
def test_the_token_is_a_secret_to_pulumi_whatever_it_was(token: Any) -> None:
    secret = found(token=token).one("Secret")
    assert is_rpc_secret(secret["stringData"])
    assert TOKEN in str(secret["stringData"])


def test_the_token_stands_in_no_other_object() -> None:
    for item in found():
        assert (TOKEN in str(item)) is (item["kind"] == "Secret")


def test_a_new_token_changes_nothing_of_the_pod() -> None:
    assert pod() == pod(token="another-token-of-these")


def test_the_pod_waits_for_its_secret() -> None:
    request = found().requests["Deployment/secret-rotation-demo"]
    assert any(urn.endswith("Secret::secret-rotation-demo") for urn in request.dependencies)


def test_only_the_sidecar_has_the_secret_and_nobody_looks_into_its_processes() -> None:
    template = pod()
    assert users(template, "token") == ["token-keeper"]
    # Beside another one of the same user, a process can read all that it has mounted.
    assert "shareProcessNamespace" not in template["spec"]
    for container in containers(template).values():
        assert not container.keys() & {"env", "envFrom"}


def test_the_secrets_files_are_the_directory_for_the_pods_group_alone() -> None:
    volume = next(item for item in pod()["spec"]["volumes"] if item["name"] == "token")
    assert volume["secret"] == {"secretName": "secret-rotation-demo", "defaultMode": 0o440}
    mounts = containers(pod())["token-keeper"]["volumeMounts"]
    mount = next(item for item in mounts if item["name"] == "token")
    # A file that is mounted by a subPath never changes.
    assert mount == {"name": "token", "mountPath": "/etc/token", "readOnly": True}


def test_whatever_the_sidecar_writes_stays_in_memory() -> None:
    template = pod()
    mounts = containers(template)["token-keeper"]["volumeMounts"]
    written = {mount["name"] for mount in mounts if not mount.get("readOnly")}
    volumes = {item["name"]: item for item in template["spec"]["volumes"]}
    assert written == {"live"}
    assert volumes["live"]["emptyDir"]["medium"] == "Memory"


def test_the_app_reads_its_configuration_and_cant_write_it() -> None:
    app = containers(pod())["main-app"]
    mount = next(item for item in app["volumeMounts"] if item["name"] == "live")
    assert mount["readOnly"] is True
    assert f"{mount['mountPath']}/nginx.conf" in app["command"]


def test_readiness_needs_no_token() -> None:
    app = containers(pod(port=9090))["main-app"]
    assert app["ports"] == [{"name": "http", "containerPort": 9090}]
    assert app["readinessProbe"]["tcpSocket"] == {"port": "http"}


def test_overlap_port_and_interval_are_arguments() -> None:
    command = containers(pod())["token-keeper"]["command"]
    assert command[-6:] == [
        *("/etc/token/token", "/etc/nginx/live"),
        *("8080", "8999", "120", "60"),
    ]
    both = containers(pod(port=9090, overlap_seconds=7, interval_seconds=5))
    assert both["token-keeper"]["command"][-4:] == ["9090", "8999", "7", "5"]
    assert both["main-app"]["command"][-2] == "5"
