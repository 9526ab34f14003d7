"""The stand-in for the published Kubernetes plugin behaves as the published one does.

Every test deploys a stack of its own with the real engine to the local cluster, in a namespace of
its own. Waiting is tested in test_provider_wait.py.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from pulumi import ResourceOptions
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Pod, PodPatch, Secret
from pulumi_kubernetes.rbac.v1 import RoleBinding
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from tests.cluster.provider_kinds import every_kind
from tests.cluster.provider_stack import (
    Stack,
    apps_api,
    config_map,
    container,
    core_api,
    deployment,
    named,
    pod,
    throw_away,
)
from tools.paths import KUBECONFIG

pytestmark = pytest.mark.usefixtures("local_cluster")


@pytest.fixture
def stack(local_cluster: object, tmp_path: Path) -> Iterator[Stack]:
    with throw_away(tmp_path) as made:
        yield made


def test_up_refresh_up_changes_nothing_for_every_kind_in_use(stack: Stack) -> None:
    created = stack.up(lambda: every_kind(stack.name))
    assert set(created) == {"create"}
    assert stack.refresh() == {"same": created["create"]}
    assert stack.up(lambda: every_kind(stack.name)) == {"same": created["create"]}
    stack.destroy()
    with pytest.raises(ApiException, match="404"):
        core_api().read_namespace(f"{stack.name}-all")


def test_outputs_are_those_of_the_live_object(stack: Stack) -> None:
    def program() -> None:
        component = pulumi.ComponentResource("sidecar-powers:index:Any", "component")
        made = pod(stack, parent=component)
        pulumi.export("class", made.status.qos_class)
        pulumi.export("uid", made.metadata.uid)
        known = Pod.get("known", made.id)
        pulumi.export("known", known.spec.node_name)

    stack.up(program)
    live = core_api().read_namespaced_pod("pod", stack.name)
    assert stack.outputs() == {
        "class": "BestEffort",
        "uid": live.metadata.uid,
        "known": live.spec.node_name,
    }
    assert stack.resources()["pod"]["id"] == f"{stack.name}/pod"


def test_an_object_that_exists_already_is_an_error_and_stays_untouched(stack: Stack) -> None:
    core_api().create_namespaced_config_map(
        stack.name, {"metadata": {"name": "settings"}, "data": {"key": "somebody else's"}}
    )

    def program() -> None:
        config_map(stack)

    for operation in (stack.preview, stack.up):
        assert 'configmaps "settings" already exists' in stack.failure(operation, program)
    assert _data(stack) == {"key": "somebody else's"}


def test_an_update_in_place_changes_what_is_declared_and_nothing_else(stack: Stack) -> None:
    def program(labels: dict[str, str]) -> None:
        config_map(stack, labels=labels)

    stack.up(lambda: program({"tier": "one", "old": "label"}))
    before = _settings(stack)
    _edit(stack, {"metadata": {"labels": {"owner": "somebody-else"}}})
    for tier in ("two", "three"):
        assert stack.preview(lambda t=tier: program({"tier": t})) == {"update": 1}
        assert stack.up(lambda t=tier: program({"tier": t})) == {"update": 1}
        after = _settings(stack)
        assert after.metadata.uid == before.metadata.uid
        assert after.metadata.labels == {"tier": tier, "owner": "somebody-else"}
    managers = {(item.manager, item.operation) for item in after.metadata.managed_fields}
    assert managers == {("pulumi-kubernetes", "Apply"), ("by-hand", "Update")}


def test_a_preview_of_the_first_update_takes_away_what_is_no_longer_declared(stack: Stack) -> None:
    def program(port: int) -> None:
        # Left beside the new one, the old port would be a second one of that name.
        only = container(ports=[{"name": "http", "containerPort": port}])
        deployment(stack, template={"containers": [only]})

    stack.up(lambda: program(8080))
    assert stack.preview(lambda: program(9090)) == {"update": 1}
    assert stack.up(lambda: program(9090)) == {"update": 1}


def test_a_conflict_is_an_error_at_preview_time_until_a_refresh_has_shown_it(stack: Stack) -> None:
    def program(replicas: int) -> None:
        deployment(stack, replicas=replicas)

    stack.up(lambda: program(1))
    apps_api().patch_namespaced_deployment_scale(
        "web", stack.name, {"spec": {"replicas": 3}}, field_manager="by-hand"
    )
    for operation in (stack.preview, stack.up):
        said = stack.failure(operation, lambda: program(2))
        assert 'conflict with "by-hand"' in said
        assert ".spec.replicas" in said
    assert _replicas(stack) == 3
    assert stack.refresh() == {"update": 1}
    assert stack.up(lambda: program(2)) == {"update": 1}
    assert _replicas(stack) == 2


def test_a_refresh_shows_hand_edits_and_up_repairs_them(stack: Stack) -> None:
    def program() -> None:
        config_map(stack, labels={"tier": "one"})
        config_map(stack, name="doomed")
        config_map(stack, name="left-alone")

    stack.up(program)
    _edit(stack, {"data": {"extra": "undeclared"}, "metadata": {"labels": {"tier": "edited"}}})
    core_api().delete_namespaced_config_map("doomed", stack.name)
    assert stack.refresh() == {"update": 1, "delete": 1, "same": 1}
    assert stack.up(program) == {"update": 1, "create": 1, "same": 1}
    assert _settings(stack).metadata.labels == {"tier": "one"}
    assert _data(stack) == {"key": "value", "extra": "undeclared"}
    assert stack.refresh() == {"same": 3}
    assert stack.up(program) == {"same": 3}


def test_an_ignored_label_stays_as_somebody_else_set_it(stack: Stack) -> None:
    def program(tier: str) -> None:
        labels = {"version": "v1", "tier": tier}
        pod(stack, metadata={"labels": labels}, ignore_changes=["metadata.labels.version"])

    def label(value: str) -> None:
        body = {"metadata": {"labels": {"version": value}}}
        core_api().patch_namespaced_pod("pod", stack.name, body, field_manager="sidecar")

    stack.up(lambda: program("one"))
    label("v2")
    stack.refresh()
    assert stack.up(lambda: program("one")) == {"same": 1}
    # Edited again, so that even the refreshed state is out of date when another field changes.
    label("v3")
    assert stack.preview(lambda: program("two")) == {"update": 1}
    assert stack.up(lambda: program("two")) == {"update": 1}
    labels = core_api().read_namespaced_pod("pod", stack.name).metadata.labels
    assert labels == {"version": "v3", "tier": "two"}
    stack.refresh()
    assert stack.up(lambda: program("two")) == {"same": 1}


def test_immutable_fields_are_replaced_and_the_old_object_is_deleted_first(stack: Stack) -> None:
    def program(changed: bool) -> None:
        probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
        changes: dict[str, dict[str, Any]] = {
            "environment": {"env": [{"name": "A", "value": "2"}]},
            "environment-from": {"envFrom": [{"configMapRef": {"name": "b", "optional": True}}]},
            "startup": {"startupProbe": probe},
            "resources": {"resources": {"limits": {"memory": "32Mi"}}},
        }
        for name, change in changes.items():
            spec = {"containers": [container() | (change if changed else {})]}
            pod(stack, name, spec)
        before = container("side") | {"command": ["true"]}
        native = container("side", restartPolicy="Always")
        pod(stack, "native", {"initContainers": [native if changed else before]})
        deployment(stack, labels={"app": "two" if changed else "one"})
        role: Any = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "b"}
        RoleBinding(
            "binding",
            metadata=named(stack, "binding"),
            role_ref=role | {"name": "c"} if changed else role,
        )
        config_map(stack, {"key": "2" if changed else "1"})
        # In no table: the API server itself says that the value is immutable.
        PriorityClass("class", metadata={"name": stack.name}, value=2 if changed else 1)

    stack.up(lambda: program(False))
    before = {name: item["outputs"]["metadata"]["uid"] for name, item in _objects(stack).items()}
    assert stack.preview(lambda: program(True)) == {"replace": 9}
    assert stack.up(lambda: program(True)) == {"replace": 9}
    after = {name: item["outputs"]["metadata"]["uid"] for name, item in _objects(stack).items()}
    assert all(after[name] != before[name] for name in before)
    operations = [operation for operation, token in stack.events if token.endswith(":ConfigMap")]
    assert operations.index("delete-replaced") < operations.index("create-replacement")
    stack.destroy()


def test_the_few_mutable_fields_of_a_pod_change_in_place(stack: Stack) -> None:
    toleration = {"key": "a", "operator": "Exists"}
    specs: list[dict[str, Any]] = [
        {},
        {"tolerations": [toleration]},
        {"tolerations": [toleration, {"key": "b", "operator": "Exists"}]},
        {"tolerations": [toleration, {"key": "b", "operator": "Exists"}]}
        | {"activeDeadlineSeconds": 600},
    ]
    stack.up(lambda: pod(stack, spec=specs[0]))
    for spec in specs[1:]:
        assert stack.up(lambda s=spec: pod(stack, spec=s)) == {"update": 1}
    assert stack.refresh() == {"same": 1}
    assert stack.preview(lambda: pod(stack, spec=specs[1])) == {"replace": 1}


def test_config_maps_and_secrets_change_in_place_only_where_the_provider_allows_it(
    stack: Stack,
) -> None:
    def program(value: str) -> None:
        provider = Provider(
            "mutable",
            kubeconfig=str(KUBECONFIG),
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        )
        options = ResourceOptions(provider=provider)
        config_map(stack, {"key": value}, opts=options)
        Secret("secret", metadata=named(stack, "secret"), string_data={"key": value}, opts=options)

    stack.up(lambda: program("1"))
    assert stack.up(lambda: program("2")) == {"update": 2, "same": 1}
    assert _data(stack) == {"key": "2"}


def test_an_object_without_a_name_gets_one_and_is_replaced_before_it_is_deleted(
    stack: Stack,
) -> None:
    def program(value: str) -> None:
        ConfigMap("unnamed", metadata={"namespace": stack.name}, data={"key": value})

    stack.up(lambda: program("1"))
    first = stack.resources()["unnamed"]["id"]
    assert re.fullmatch(rf"{stack.name}/unnamed-[0-9a-f]{{8}}", first)
    assert stack.up(lambda: program("1")) == {"same": 1}
    assert stack.up(lambda: program("2")) == {"replace": 1}
    assert stack.resources()["unnamed"]["id"] != first
    operations = [operation for operation, token in stack.events if token.endswith(":ConfigMap")]
    assert operations.index("create-replacement") < operations.index("delete-replaced")


REFUSED: dict[str, tuple[Callable[[Stack], object], str]] = {
    "forbidden": (lambda stack: pod(stack, "pod"), 'violates PodSecurity "restricted:latest"'),
    "misspelt": (
        lambda stack: pod(stack, "pod", {"container": []}),
        'unknown field "spec.container"',
    ),
    "negative": (
        lambda stack: deployment(stack, "negative", replicas=-1),
        "spec.replicas: Invalid value: -1",
    ),
    "label": (
        lambda stack: config_map(stack, labels={"bad": "no spaces please"}),
        'metadata.labels: Invalid value: "no spaces please"',
    ),
}
"""One to a preview: the engine ends at the first one, and may not have asked about the others."""


@pytest.mark.parametrize("what", REFUSED)
def test_a_preview_says_what_the_api_server_would_refuse(stack: Stack, what: str) -> None:
    core_api().patch_namespace(
        stack.name, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    )
    program, wanted = REFUSED[what]
    said = stack.failure(stack.preview, lambda: program(stack))
    assert wanted in said
    assert "Traceback" not in said


def test_a_preview_says_what_would_be_refused_of_an_update(stack: Stack) -> None:
    stack.up(lambda: config_map(stack))
    said = stack.failure(stack.preview, lambda: config_map(stack, labels={"bad": "a b"}))
    assert 'metadata.labels: Invalid value: "a b"' in said


def test_a_preview_forgives_what_the_same_run_still_creates(stack: Stack) -> None:
    def program() -> None:
        namespace = Namespace("other", metadata={"name": f"{stack.name}-other"})
        name = namespace.metadata.name
        made = ConfigMap("inside", metadata={"name": "inside", "namespace": name}, data={"a": "b"})
        pod(stack, "waits", {"serviceAccountName": "not-yet"})
        # Unknown until the first object exists.
        config_map(stack, {"uid": made.metadata.uid.apply(str), "key": "value"})
        config_map(stack, name="named", annotations={"uid": namespace.status.phase})

    assert stack.preview(program) == {"create": 5}


@pytest.mark.parametrize("changed", ["stack", "context", "contents", "server"])
def test_other_stacks_and_clusters_are_refused_before_anything_is_sent(
    tmp_path: Path, changed: str
) -> None:
    listener, asked = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def count() -> None:
        while True:
            listener.accept()
            asked.set()

    threading.Thread(target=count, daemon=True).start()
    name = "sidecar-powers-local" if changed in ("stack", "server") else "production"
    held = yaml.safe_load(KUBECONFIG.read_text())
    held["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{listener.getsockname()[1]}"
    held["contexts"][0]["name"] = held["current-context"] = name
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(held))
    stack = Stack(
        tmp_path, "production" if changed == "stack" else "e2e-x", {"KUBECONFIG": str(kubeconfig)}
    )

    def program() -> None:
        provider = None
        if changed == "contents":
            provider = Provider("other", kubeconfig=kubeconfig.read_text())
        config_map(stack, opts=ResourceOptions(provider=provider))

    for operation in (stack.preview, stack.up):
        said = stack.failure(operation, program)
        if changed == "server":
            assert "'sidecar-powers-local' leads to https://127.0.0.1:" in said
        else:
            what = "stack" if changed == "stack" else "context"
            assert f"{what} 'production' needs the published Kubernetes plugin" in said
        assert "Traceback" not in said
    assert not asked.is_set()


def test_kinds_that_are_no_objects_of_their_own_are_refused(stack: Stack) -> None:
    def program() -> None:
        PodPatch("patch", metadata={"name": "pod", "namespace": stack.name})

    said = stack.failure(stack.preview, program)
    assert "serves single objects only" in said


def test_a_secret_stays_secret_in_the_state(stack: Stack) -> None:
    def program(password: str) -> None:
        Secret("secret", metadata=named(stack, "secret"), string_data={"password": password})
        config_map(stack, {"password": pulumi.Output.secret(password), "key": "value"})

    for password in ("first-passphrase", "second-passphrase"):
        stack.up(lambda p=password: program(p))
        stack.refresh()
        assert "-passphrase" not in stack.state_text()
        assert "cGFzc3BocmFzZQ" not in stack.state_text()  # the same in base64
    assert stack.up(lambda: program("second-passphrase")) == {"same": 2}


def test_an_existing_object_can_be_imported(stack: Stack) -> None:
    core_api().create_namespaced_config_map(
        stack.name, {"metadata": {"name": "settings"}, "data": {"key": "value"}}
    )
    options = ResourceOptions(import_=f"{stack.name}/settings")
    uid = _settings(stack).metadata.uid
    stack.up(lambda: config_map(stack, opts=options))
    assert stack.up(lambda: config_map(stack, labels={"mine": "now"})) == {"update": 1}
    assert _settings(stack).metadata.uid == uid


def test_deletes_run_side_by_side_and_wait_until_everything_is_gone(stack: Stack) -> None:
    stubborn = [container(command="sleep 3600")]
    stubborn[0]["command"] = ["sh", "-c", "sleep 3600"]  # as PID 1 it ignores TERM

    def program() -> None:
        spec = {"containers": stubborn, "terminationGracePeriodSeconds": 5}
        for number in range(4):
            pod(stack, f"pod-{number}", spec)
        deployment(stack, replicas=2, template=spec)

    stack.up(program)
    seconds = stack.timed(stack.destroy)
    assert core_api().list_namespaced_pod(stack.name).items == []
    assert 5 <= seconds < 20  # one after the other it would be 25


def _settings(stack: Stack) -> Any:
    return core_api().read_namespaced_config_map("settings", stack.name)


def _data(stack: Stack) -> dict[str, str]:
    return _settings(stack).data


def _edit(stack: Stack, body: dict[str, Any]) -> None:
    core_api().patch_namespaced_config_map("settings", stack.name, body, field_manager="by-hand")


def _replicas(stack: Stack) -> int:
    return apps_api().read_namespaced_deployment("web", stack.name).spec.replicas


def _objects(stack: Stack) -> dict[str, Any]:
    return {
        name: item
        for name, item in stack.resources().items()
        if item["type"].startswith("kubernetes:")
    }
