"""Every stack file, rendered as `make render` does it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.hardening import assert_hardened
from tests.unit.recorder import Object, containers, pod_of
from tools import engine, paths
from tools.errors import CommandError
from tools.render import REDACTED, Rendered, render, to_yaml, write

STACKS = sorted(path.name.split(".")[1] for path in (paths.ROOT / "stacks").glob("Pulumi.*.yaml"))
every_stack = pytest.mark.parametrize("stack", STACKS)

PROGRAM = """
import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap, Secret

one = ConfigMap("one", metadata={{"name": "one"}}, data={{"key": {value}}})
Secret("two", metadata={{"name": "two"}}, string_data={{"key": "hidden"}},
       opts=pulumi.ResourceOptions(depends_on=[one]))
"""


def objects(stack: str) -> list[Object]:
    return [item.object for item in render(stack)]


def workloads(stack: str) -> dict[str, Object]:
    found = [item for item in objects(stack) if item["kind"] in ("Deployment", "Pod")]
    return {item["metadata"]["name"]: item for item in found}


def other_program(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str = "'x'") -> None:
    monkeypatch.setattr(paths, "ROOT", folder)
    (folder / "__main__.py").write_text(PROGRAM.format(value=value))
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.dev.yaml").write_text("config: {}\n")


@every_stack
def test_every_object_has_its_kind_and_name(stack: str) -> None:
    found = objects(stack)
    assert all(item["apiVersion"] and item["metadata"]["name"] for item in found)
    keys = {(item["kind"], item["metadata"]["name"]) for item in found}
    assert len(keys) == len(found)


@every_stack
def test_every_object_has_a_urn_of_its_own(stack: str) -> None:
    urns = [item.urn for item in render(stack)]
    assert len({*urns}) == len(urns)


def test_a_urn_names_the_types_of_all_parents() -> None:
    role = next(item for item in render("dev") if item.object["kind"] == "Role")
    assert role.urn == (
        "sidecar-powers:index:EnvInherit$sidecar-powers:index:PodLabeler"
        "$kubernetes:rbac.authorization.k8s.io/v1:Role::env-inherit-demo-labeler"
    )


def test_options_that_are_set_are_told() -> None:
    pod = next(item for item in render("article") if item.urn.endswith("::env-inherit-demo"))
    assert pod.options == {
        "customTimeouts": {"create": "300s", "update": "300s"},
        "deleteBeforeReplace": True,
        "ignoreChanges": ["metadata.labels.version"],
        "replaceOnChanges": ["spec"],
    }
    assert render("prod")[0].options == {"protect": True}


@every_stack
def test_what_is_printed_is_what_is_read_back(stack: str) -> None:
    found = objects(stack)
    text = "---\n".join(to_yaml(item) for item in found)
    assert list(yaml.safe_load_all(text)) == found


@every_stack
def test_the_command_prints_the_same_bytes_each_time(stack: str) -> None:
    command = [sys.executable, "-m", "tools", "render", "--stack", stack]
    runs = [
        subprocess.run(
            command,
            cwd=paths.ROOT,
            # Neither a CLI nor a cluster is within reach, and hashing differs.
            env={"PATH": "/nonexistent", "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].startswith(b"apiVersion: v1\nkind: Namespace\n")


@every_stack
def test_what_an_object_needs_comes_before_it(stack: str) -> None:
    kinds = [item["kind"] for item in objects(stack)]
    assert kinds[0] == "Namespace"
    labeler = kinds.index("ServiceAccount")
    names = [item["metadata"]["name"] for item in objects(stack)]
    assert names.index("env-inherit-demo") > labeler
    assert names.index("env-inherit-demo") > kinds.index("ValidatingAdmissionPolicyBinding")


@every_stack
def test_every_namespace_has_defaults_and_denies_traffic(stack: str) -> None:
    kinds = [item["kind"] for item in objects(stack)]
    assert kinds.count("LimitRange") == 1
    policies = [
        item["metadata"]["name"] for item in objects(stack) if item["kind"] == "NetworkPolicy"
    ]
    assert {"default-deny", "api-access"} <= set(policies)


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_an_environments_quota_is_the_declared_one(stack: str) -> None:
    quota = next(item for item in objects(stack) if item["kind"] == "ResourceQuota")
    assert quota["spec"]["hard"] == engine.stack_config(stack)["sidecar-powers:quota"]


@every_stack
def test_every_pod_is_hardened(stack: str) -> None:
    for workload in workloads(stack).values():
        assert_hardened(pod_of(workload))


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack != "article"])
def test_images_are_pinned(stack: str) -> None:
    for workload in workloads(stack).values():
        for container in containers(pod_of(workload)).values():
            assert re.search(r":(bookworm|\d+\.\d+\.\d+(-alpine|-slim)?)$", container["image"])


def test_prod_has_two_replicas_a_budget_each_and_no_load() -> None:
    found = objects("prod")
    for workload in workloads("prod").values():
        assert workload["spec"]["replicas"] == 2
        assert "load-generator" not in containers(pod_of(workload))
    budgets = [item["metadata"]["name"] for item in found if item["kind"] == "PodDisruptionBudget"]
    assert sorted(budgets) == sorted(workloads("prod"))


def test_article_has_its_images_names_and_mounts() -> None:
    found: dict[str, list[tuple[str, str, list[str]]]] = {
        name: [
            (
                container["name"],
                container["image"],
                [mount["mountPath"] for mount in container.get("volumeMounts", [])],
            )
            for container in containers(pod).values()
        ]
        for name, pod in workloads("article").items()
    }
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert found == {
        "shared-filesystem-demo": [
            ("main-app", "nginx:latest", ["/usr/share/nginx/html", "/tmp"]),
            ("sidecar-config", "busybox", ["/data"]),
        ],
        "init-sidecar-demo": [
            ("init-config", "busybox", ["/config"]),
            ("main-app", "ubuntu:latest", ["/app"]),
            ("sidecar-config-updater", "busybox", ["/config"]),
        ],
        "signal-demo": [("main-app", "busybox", []), ("signal-sender", "busybox", [])],
        "env-inherit-demo": [
            ("main-app", "ubuntu:latest", ["/etc/podinfo"]),
            ("version-updater", "curlimages/curl:8.14.1", [token]),
        ],
        "resource-demo": [
            ("main-app", "nginx:latest", ["/tmp"]),
            ("resource-monitor", "busybox", []),
            ("load-generator", "busybox", []),
        ],
    }


def test_article_has_its_intervals_ports_and_rbac_verbs() -> None:
    found = workloads("article")

    def last(demo: str, container: str) -> str:
        return containers(found[demo])[container]["command"][-1]

    assert last("shared-filesystem-demo", "sidecar-config") == "10"
    assert last("shared-filesystem-demo", "main-app") == "80"
    assert last("init-sidecar-demo", "main-app") == "30"
    assert last("init-sidecar-demo", "sidecar-config-updater") == "60"
    assert last("signal-demo", "main-app") == "5"
    assert last("signal-demo", "signal-sender") == "10"
    assert last("env-inherit-demo", "main-app") == "10"
    assert containers(found["env-inherit-demo"])["version-updater"]["command"][-2] == "30"
    assert last("resource-demo", "resource-monitor") == "5"
    role = next(item for item in objects("article") if item["kind"] == "Role")
    assert role["rules"][0]["verbs"] == ["get", "patch"]


def test_secrets_are_shown_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_program(tmp_path, monkeypatch, "pulumi.Output.secret('hidden')")
    hidden = [item.object for item in render("dev")]
    assert [item["metadata"]["name"] for item in hidden] == ["one", "two"]
    assert hidden[0]["data"] == hidden[1]["stringData"] == {"key": REDACTED}
    shown = [item.object for item in render("dev", secrets=True)]
    assert shown[0]["data"] == shown[1]["stringData"] == {"key": "hidden"}


def test_a_stacks_own_secret_is_shown_neither_in_clear_nor_encrypted() -> None:
    config = {
        "sidecar-powers:namespace": "here",
        "sidecar-powers:demos": {"secret-rotation": {"token": {"secure": "v1:abc:def"}}},
    }
    hidden = render("dev", config=config)
    assert "v1:abc:def" not in str(hidden)
    secret = next(item.object for item in hidden if item.object["kind"] == "Secret")
    assert secret["stringData"] == {"token": REDACTED}
    shown = [item.object for item in render("dev", secrets=True, config=config)]
    secrets = [item["kind"] for item in shown if "v1:abc:def" in str(item)]
    assert secrets == ["Secret"]


def test_a_wrong_stack_file_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def config(_: str) -> dict[str, Any]:
        return {"sidecar-powers:namespace": "UPPER", "sidecar-powers:demos": {"signl": {}}}

    monkeypatch.setattr(engine, "stack_config", config)
    with pytest.raises(
        CommandError, match=r"Pulumi.dev.yaml has problems:\nnamespace: .*\n.*signl"
    ):
        render("dev")


def test_a_folder_gets_a_file_an_object_and_loses_what_is_stale(tmp_path: Path) -> None:
    def configmap(name: str) -> Rendered:
        return Rendered({"kind": "ConfigMap", "metadata": {"name": name}}, 1)

    (tmp_path / "mine.yaml").write_text("kind: Mine\n")
    write([configmap("a"), configmap("b")], "dev", tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "01-configmap-a.yaml",
        "01-configmap-b.yaml",
        "mine.yaml",
    ]
    write([configmap("b")], "dev", tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["01-configmap-b.yaml", "mine.yaml"]
