"""What goes wrong in a deployment, or behind Pulumi's back, is told and mended by the next up."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.background import Background
from tests.cluster.converged import assert_converged
from tests.cluster.faults import within
from tests.cluster.project import Cluster, Project, is_ready
from tools import paths, recover
from tools.errors import CommandError
from tools.target import Target

pytestmark = pytest.mark.xdist_group("faults-engine")
"""One deployment for all."""

SIGNAL: dict[str, Any] = {"signal": {}}
ABSENT = "localhost/sidecar-powers/absent:1"
TIMEOUT_S = 15
SLACK_S = 60
"""More than an up takes that waits for nothing, far less than the default timeout."""


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> None:
    project.configure(demos=SIGNAL)
    project.up()


@pytest.mark.long
def test_an_image_that_does_not_exist_is_named_with_its_container_within_the_timeout(
    local_cluster: Cluster, project: Project
) -> None:
    images = {"main-app": ABSENT}
    demos: dict[str, Any] = {
        # An update, a new Deployment, and a Pod whose sidecar comes before the app.
        "signal": {"images": images},
        "second": {"demo": "signal", "images": images},
        "third": {"demo": "signal", "workload": "pod", "images": {"signal-sender": ABSENT}},
    }
    project.configure(demos=demos, defaults={"timeoutSeconds": TIMEOUT_S})
    started = time.monotonic()
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert time.monotonic() - started < TIMEOUT_S + SLACK_S
    assert done.code != 0
    for what in ("Deployment {}/signal", "Deployment {}/second", "Pod {}/third"):
        assert f"{what.format(project.namespace)}-demo is not ready after {TIMEOUT_S} s" in (
            done.output
        )
    for container in ('container "main-app"', 'native sidecar "signal-sender"'):
        assert f"{container} (image {ABSENT}): " in done.output
    assert "ErrImagePull" in done.output or "ImagePullBackOff" in done.output
    # What ran before still runs.
    pods = local_cluster.pods(project.namespace)
    old = [pod for pod in pods if is_ready(pod)]
    assert [pod.metadata.labels["app.kubernetes.io/instance"] for pod in old] == ["signal-demo"]
    project.configure(demos={demo: {**demos[demo], "images": {}} for demo in demos})
    project.up()
    assert_converged(project)
    project.configure(demos=SIGNAL)
    project.up()


def edit(cluster: Cluster, namespace: str) -> None:
    """Change by hand what must not change."""
    who = {"field_manager": "by-hand"}
    env = [{"name": "TARGET", "value": "somebody-else"}]
    sender = {"name": "signal-sender", "env": env}
    template = {"spec": {"initContainers": [sender]}}
    body: dict[str, Any] = {"spec": {"replicas": 2, "template": template}}
    cluster.apps.patch_namespaced_deployment("signal-demo", namespace, body, **who)
    policy: dict[str, Any] = {"spec": {"policyTypes": ["Ingress"]}}
    cluster.networking.patch_namespaced_network_policy("default-deny", namespace, policy, **who)
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    cluster.core.patch_namespace(namespace, label, **who)


def test_what_was_edited_by_hand_is_shown_by_a_refresh_and_repaired_by_an_up(
    local_cluster: Cluster, project: Project
) -> None:
    edit(local_cluster, project.namespace)
    shown = project.pulumi("refresh", "--preview-only", "--diff")
    assert shown.code == 0
    for line in (
        "replicas: 1 => 2",
        'value: "main-app" => "somebody-else"',
        'policyTypes: [ - [1]: "Egress" ]',
        'pod-security.kubernetes.io/enforce: "restricted" => "privileged"',
    ):
        assert line in " ".join(shown.output.split()), shown.output
    drifted = project.drifted()
    for item in ("Deployment signal-demo", "NetworkPolicy namespace-default-deny"):
        assert any(row.startswith(f"| `{item}` | changed | `spec") for row in drifted), drifted
    project.up("--refresh")
    assert project.drifted() == []
    assert_converged(project)
    namespace = local_cluster.core.read_namespace(project.namespace)
    assert namespace.metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    found = local_cluster.networking.read_namespaced_network_policy(
        "default-deny", project.namespace
    )
    assert found.spec.policy_types == ["Ingress", "Egress"]
    project.verify()


@pytest.mark.long
def test_what_was_deleted_by_hand_is_shown_by_a_refresh_and_made_again_by_an_up(
    local_cluster: Cluster, project: Project
) -> None:
    for delete, name in (
        (local_cluster.apps.delete_namespaced_deployment, "signal-demo"),
        (local_cluster.networking.delete_namespaced_network_policy, "default-deny"),
        (local_cluster.core.delete_namespaced_limit_range, "defaults"),
    ):
        delete(name, project.namespace)
    within(30, lambda: not local_cluster.pods(project.namespace))
    shown = project.pulumi("refresh", "--preview-only")
    assert shown.code == 0
    assert "- 3 to delete" in shown.output, shown.output
    project.up("--refresh")
    assert_converged(project)
    project.verify()


@pytest.mark.long
def test_an_object_that_exists_already_is_an_error_and_stays_as_it_is(
    local_cluster: Cluster, project: Project
) -> None:
    labels = {"whose": "somebody-elses"}
    theirs: dict[str, Any] = {
        "metadata": {"name": "second-demo", "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": ABSENT}]},
            },
        },
    }
    before = local_cluster.apps.create_namespaced_deployment(project.namespace, theirs)
    project.configure(demos={**SIGNAL, "second": {"demo": "signal"}})
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.code != 0
    assert 'deployments.apps "second-demo" already exists' in done.output
    assert "Traceback" not in done.output
    after = local_cluster.apps.read_namespaced_deployment("second-demo", project.namespace)
    assert after.spec == before.spec
    assert after.metadata.uid == before.metadata.uid
    assert after.metadata.labels == labels
    local_cluster.apps.delete_namespaced_deployment("second-demo", project.namespace)
    project.up()
    assert_converged(project)
    project.configure(demos=SIGNAL)
    project.up()


def test_a_second_up_is_refused_while_the_first_runs_and_does_it_no_harm(project: Project) -> None:
    project.configure(demos={"signal": {"intervalSeconds": 3}})
    first = Background(project, "up", "--yes", "--skip-preview")
    backend = project.env["PULUMI_BACKEND_URL"]
    locks = Path(backend.removeprefix("file://"), ".pulumi", "locks")
    within(60, lambda: any(file.stat().st_size for file in locks.rglob("*.json")))
    with first.stopped():
        second = project.pulumi("up", "--yes", "--skip-preview")
        assert second.code != 0
        assert "the stack is currently locked by 1 lock(s)" in second.output
        target = Target(paths.CONTEXT, paths.CONTEXT, str(paths.KUBECONFIG))
        with pytest.raises(CommandError, match=f"An update of stack {project.stack} is under way"):
            recover.recover(project.stack, backend, partial(_never, project), target, print)
    assert first.wait().code == 0, first.output
    assert_converged(project)


def _never(project: Project, *words: str, quiet: bool = False) -> str:
    raise AssertionError(f"{words} was run on {project.stack}")
