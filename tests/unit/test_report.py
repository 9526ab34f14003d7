"""What a report tells of a stack, as tables and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.usage import total, workload_usage
from stacks.budget import exceeded
from tests.unit.pods import container, deployment
from tests.unit.recorder import Object
from tools import __main__ as commands
from tools import engine, report
from tools.errors import CommandError
from tools.report import as_json, as_table
from tools.report.manifests import quota, workloads
from tools.report.model import Report, Signal, Workload


def told(*objects: Object, **budget: str) -> Report:
    """The report of a stack that has these objects."""
    return Report(
        "dev",
        "here",
        workloads(objects),
        total(map(workload_usage, objects)),
        quota(objects),
        budget,
        exceeded(budget, objects),
    )


def one(*containers: Object, **spec: Any) -> Workload:
    return workloads([deployment("it", *containers, **spec)])[0]


def test_containers_are_told_in_the_order_of_starting() -> None:
    native = container("native", restartPolicy="Always")
    found = one(
        container("app"), container("classic"), initContainers=[container("init"), native]
    ).containers
    assert [(item.step, item.name, item.role) for item in found] == [
        (1, "init", "init container"),
        (2, "native", "native sidecar"),
        (3, "app", "container"),
        (3, "classic", "container"),
    ]


def test_workloads_are_those_objects_that_have_pods() -> None:
    objects = [
        {"kind": "Namespace", "metadata": {"name": "here"}},
        deployment("second", container("app"), replicas=3),
        deployment("first", container("app")),
        deployment("none", container("app"), replicas=0),
    ]
    found = workloads(objects)
    assert [(item.name, item.replicas, item.qos_class) for item in found] == [
        ("first", 1, "Burstable"),
        ("second", 3, "Burstable"),
    ]


def test_a_mount_is_read_only_if_it_says_so_or_its_volume_is() -> None:
    volumes: list[Object] = [
        {"name": "shared", "emptyDir": {"sizeLimit": "1Mi"}},
        {
            "name": "podinfo",
            "downwardAPI": {
                "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels['a']"}}]
            },
        },
        {"name": "config", "configMap": {"name": "settings"}},
    ]
    mounts = [
        {"name": "shared", "mountPath": "/a"},
        {"name": "shared", "mountPath": "/b", "readOnly": True},
        {"name": "podinfo", "mountPath": "/c"},
        {"name": "config", "mountPath": "/d"},
    ]
    found = one(container("app", volumeMounts=mounts), volumes=volumes)
    assert [(mount.path, mount.read_only) for mount in found.containers[0].mounts] == [
        ("/a", False),
        ("/b", True),
        ("/c", True),
        ("/d", True),
    ]
    assert [(volume.kind, volume.detail) for volume in found.volumes] == [
        ("emptyDir", "1Mi"),
        ("downwardAPI", "metadata.labels['a']"),
        ("configMap", "settings"),
    ]


TOKEN: Object = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {}}]}}


def test_only_a_container_that_mounts_the_token_has_it() -> None:
    mounts = [{"name": "token", "mountPath": "/t"}]
    found = one(container("app"), container("labeler", volumeMounts=mounts), volumes=[TOKEN])
    assert [item.has_token for item in found.containers] == [False, True]
    assert found.volumes[0].has_token


@pytest.mark.parametrize(
    ("spec", "account", "has_token"),
    [
        ({}, {}, True),
        ({}, {"automountServiceAccountToken": False}, False),
        ({"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True),
        ({"automountServiceAccountToken": False}, {}, False),
    ],
)
def test_every_container_has_a_token_that_is_mounted_by_default(
    spec: Object, account: Object, has_token: bool
) -> None:
    item = deployment("it", container("app"), container("other"), serviceAccountName="mine")
    pod = item["spec"]["template"]["spec"]
    del pod["automountServiceAccountToken"]
    pod |= spec
    found = workloads([{"kind": "ServiceAccount", "metadata": {"name": "mine"}, **account}, item])
    assert [item.has_token for item in found[0].containers] == [has_token] * 2


def sender(target: str, script: str = "kill -HUP 7") -> Object:
    return container("sender", env=[{"name": "TARGET", "value": target}], command=["sh", script])


@pytest.mark.parametrize(
    ("script", "name"),
    [("kill -HUP 7", "HUP"), ("kill -0 7; kill -SIGUSR1 7", "USR1"), ("pkill app", "")],
)
def test_a_signal_goes_from_its_sender_to_the_container_that_it_names(
    script: str, name: str
) -> None:
    found = one(container("app"), sender("app", script), shareProcessNamespace=True)
    assert found.signals == [Signal(name, "sender", "app")]


@pytest.mark.parametrize(("target", "shares"), [("app", False), ("somebody", True)])
def test_nobody_signals_what_it_does_not_see(target: str, shares: bool) -> None:
    found = one(container("app"), sender(target), shareProcessNamespace=shares)
    assert found.signals == []


def test_every_stack_with_a_signal_demo_shows_its_signal() -> None:
    found = report.report("article").workloads
    signals = {item.name: item.signals for item in found if item.signals}
    assert signals == {"signal-demo": [Signal("HUP", "signal-sender", "main-app")]}


STACK = [
    deployment("it", container("app"), container("other"), replicas=2),
    {
        "kind": "ResourceQuota",
        "metadata": {"name": "quota"},
        "spec": {"hard": {"limits.cpu": "8", "pods": "4"}},
    },
]


def lines(text: str) -> list[str]:
    """The words of each line, however far apart."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_tables_have_each_container_each_pod_and_all_of_them() -> None:
    found = lines(as_table.show(told(*STACK, **{"limits.memory": "0", "limits.cpu": "3"})))
    assert "it: Deployment, 2 pods, Burstable" in found
    assert "app container 10m to 1000m 64Mi to 64Mi none, no limit" in found
    assert "each pod 20m to 2000m 128Mi to 128Mi none, no limit" in found
    assert "limits.cpu 4000m 134 % of 3 50 % of 8" in found
    assert "limits.memory 256Mi more than 0 none" in found
    assert "pods 2 none 50 % of 4" in found
    assert found[-1] == (
        "budget.limits.cpu: found 4000m, allowed is 3: 1000m too much. Most takes it (4000m)"
    )


def test_a_terminal_gets_no_control_characters() -> None:
    shown = as_table.show(told(deployment("it", container("a\x1b[31m\u202e"))))
    assert "a�[31m�" in shown
    assert not {"\x1b", "\u202e"} & {*shown}


def test_machines_get_all_of_it_in_kubernetes_words() -> None:
    found = json.loads(as_json.show(told(*STACK, pods="5")))
    assert found["totals"]["limits.cpu"] == "4000m"
    assert (found["quota"], found["budget"]) == ({"limits.cpu": "8", "pods": "4"}, {"pods": "5"})
    workload = found["workloads"][0]
    assert (workload["qosClass"], workload["usage"]["limits.memory"]) == ("Burstable", "128Mi")
    assert workload["containers"][0]["usage"] == {
        "requests.cpu": "10m",
        "requests.memory": "64Mi",
        "limits.cpu": "1000m",
        "limits.memory": "64Mi",
    }


def made(*words: str) -> str:
    done = CliRunner().invoke(commands.app, ["report", "--stack", "dev", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_file_or_the_format_says_what_is_made(tmp_path: Path) -> None:
    assert "resource-demo: Deployment" in made()
    assert made("--format", "html").startswith("<!doctype html>")
    assert json.loads(made("--format", "json"))["stack"] == "dev"
    for name, begin in (("a.html", "<!doctype html>"), ("a.json", "{"), ("a.txt", "env-inherit")):
        assert made("--out", str(tmp_path / name)) == ""
        assert (tmp_path / name).read_text().startswith(begin)
    made("--out", str(tmp_path / "a.txt"), "--format", "json")
    assert (tmp_path / "a.txt").read_text().startswith("{")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "htm"], "FORMAT: found 'htm', allowed is table, html, json; did you mean"),
        (["--out", "/nonexistent/a.html"], "OUT: .*/nonexistent/a.html"),
        (["--stack", "deb"], "STACK: found 'deb'"),
    ],
)
def test_what_cannot_be_made_is_one_message(words: list[str], message: str) -> None:
    done = CliRunner().invoke(commands.app, ["report", "--stack", "dev", *words])
    with pytest.raises(CommandError, match=message):
        raise done.exception or AssertionError(done.output)


def test_a_stack_that_exceeds_its_budget_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**engine.stack_config("dev"), "sidecar-powers:budget": {"pods": "2"}}

    def stack_config(_: str) -> dict[str, Any]:
        return config

    monkeypatch.setattr(engine, "stack_config", stack_config)
    assert report.report("dev").exceeded[0].startswith("budget.pods: found 6, allowed is 2")
