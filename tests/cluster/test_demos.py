"""Each power seen at work: deployed by the engine, and applied as it is rendered."""

import gc
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from stacks.model import PATTERNS
from tests.cluster.faults import processes, spawned
from tests.cluster.patched import applied
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts
from tools import paths
from tools.target import Target
from tools.verify import cluster as verified
from tools.verify.live import LivePod

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""


def unchanged(_demo: str, _spec: Object) -> None:
    """The pods are as they are rendered."""


@pytest.fixture(scope="module", params=["engine", "kubectl"])
def since(request: pytest.FixtureRequest, project: Project) -> Iterator[float]:
    """Since when the demos of the local stack are ready."""
    with ExitStack() as stack:
        if request.param == "engine":
            project.up()
            # The node has no CPU to spare for both.
            stack.callback(project.destroy)
        else:
            stack.enter_context(applied(project, unchanged))
        yield time.monotonic()


@pytest.mark.usefixtures("since")
def test_every_power_works(project: Project) -> None:
    project.verify()


PATCHES = {
    "a neighbour": ("{neighbour}", {"metadata": {"labels": {"version": "x"}}}),
    "another label": ("{own}", {"metadata": {"labels": {"other": "x"}}}),
    "another label without a value": ("{own}", {"metadata": {"labels": {"other": ""}}}),
    "a label taken away": (
        "{own}",
        {"metadata": {"labels": {"app.kubernetes.io/instance": None}}},
    ),
    "an annotation": ("{own}", {"metadata": {"annotations": {"a": "b"}}}),
    "a finalizer": ("{own}", {"metadata": {"finalizers": ["example.org/x"]}}),
    "an owner": ("{own}", {"metadata": {"ownerReferences": None}}),
    "the deadline": ("{own}", {"spec": {"activeDeadlineSeconds": 5}}),
    "the image": ("{own}", {"spec": {"containers": [{"name": "main-app", "image": "other:1"}]}}),
}


@pytest.mark.parametrize("what", PATCHES)
def test_the_labeler_can_change_nothing_but_its_own_label(
    local_cluster: Cluster, project: Project, since: float, what: str
) -> None:
    name, patch = PATCHES[what]
    own = local_cluster.pod(project.namespace, "env-inherit").metadata.name
    neighbour = local_cluster.pod(project.namespace, "signal").metadata.name
    pod = name.format(own=own, neighbour=neighbour)
    command = (
        "d=/var/run/secrets/kubernetes.io/serviceaccount; curl --silent --cacert $d/ca.crt"
        ' --header "Authorization: Bearer $(cat $d/token)" --request PATCH'
        " --header 'Content-Type: application/strategic-merge-patch+json'"
        f" --data '{json.dumps(patch)}' --output /dev/null --write-out '%{{http_code}}'"
        " https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
        f"/api/v1/namespaces/{project.namespace}/pods/{pod}"
    )
    where = (project.namespace, "env-inherit", "version-updater")
    assert local_cluster.run(*where, command) in ("403", "422")
    allowed = command.replace(json.dumps(patch), '{"metadata":{"labels":{"version":"by-hand"}}}')
    assert local_cluster.run(*where, allowed.replace(pod, own)) == "200"


def test_no_command_in_a_container_leaves_a_connection_open(
    local_cluster: Cluster, project: Project
) -> None:
    where = (project.namespace, "shared-filesystem", "main-app")
    pod = local_cluster.pod(*where[:2]).metadata.name
    target = Target(paths.CONTEXT, paths.CONTEXT, str(paths.KUBECONFIG))
    seen = LivePod(verified.Cluster(target), project.namespace, pod, 60)
    for run in (partial(local_cluster.run, *where), partial(seen.run, "main-app")):
        run("true")
        gc.disable()
        try:
            before = open_files()
            assert [run("echo 1") for _ in range(3)] == ["1\n"] * 3
            assert open_files() == before
        finally:
            gc.enable()


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


SPAWNED = {
    "cert-renewal/cert-renewer": 3,
    "cert-renewal/main-app": 17,
    "debug": 24,
    "dependency-injection-demo-source/plugin-source": 13,
    "dependency-injection/main-app": 24,
    "dependency-injection/plugin-fetcher": 0,
    "env-inherit/main-app": 18,
    "env-inherit/version-updater": 14,
    "graceful-shutdown/drain-keeper": 0,
    "graceful-shutdown/main-app": 0,
    "health": 0,
    "hot-reload": 8,
    "init-sidecar/main-app": 4,
    "init-sidecar/sidecar-config-updater": 6,
    "log-processing": 12,
    "resize": 4,
    "resource": 537,
    "secret-rotation/main-app": 3,
    "secret-rotation/token-keeper": 0,
    "security-scan/main-app": 6,
    "security-scan/publisher": 0,
    "security-scan/scanner": 0,
    "shared-filesystem/main-app": 0,
    "shared-filesystem/sidecar-config": 30,
    "signal": 53,
}
"""Processes a minute by pod, or by container where it has processes of its own, as they were
counted when they were last made fewer. Who needs more of them says why here."""


@pytest.mark.usefixtures("since")
def test_no_pod_spawns_more_processes_than_it_did(local_cluster: Cluster, project: Project) -> None:
    def counts() -> dict[str, int]:
        found: dict[str, int] = {}
        for pod in local_cluster.pods(project.namespace):
            shared = pod.spec.share_process_namespace
            demo = pod.metadata.labels["app.kubernetes.io/instance"].removesuffix("-demo")
            running = processes(pod)
            for name in [*running][:1] if shared else running:
                found[demo if shared else f"{demo}/{name}"] = spawned(running[name])
        return found

    before = counts()
    time.sleep(60)
    after = counts()
    # Asking takes a process too.
    grown = {name: after[name] - before[name] - 1 for name in after}
    # A minute may begin anywhere in a sidecar's interval, and a busy node has probes wait.
    allowed = {name: 1.25 * count + 4 for name, count in SPAWNED.items()}
    assert grown.keys() == allowed.keys()
    assert {name: seen for name, seen in grown.items() if seen > allowed[name]} == {}


def test_after_a_minute_nothing_has_restarted(
    local_cluster: Cluster, project: Project, since: float
) -> None:
    time.sleep(max(0, 60 - (time.monotonic() - since)))
    pods = local_cluster.pods(project.namespace)
    assert len(pods) >= len(PATTERNS)
    assert not any(map(restarts, pods))
    assert all(is_ready(pod) for pod in pods)
