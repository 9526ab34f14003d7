"""Each power seen at work: deployed by the engine, and applied as it is rendered."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.project import Cluster, Project, is_ready, restarts
from tools import engine
from tools.render import render, to_yaml

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""

DEMOS = ["shared-filesystem", "init-sidecar", "signal", "env-inherit", "resource"]


@dataclass(frozen=True)
class Deployed:
    """Where the demos run, and since when all of them are ready."""

    namespace: str
    since: float


@pytest.fixture(scope="module", params=["engine", "kubectl"])
def demos(request: pytest.FixtureRequest, project: Project) -> Iterator[Deployed]:
    """The demos of the local stack in a namespace of their own."""
    if request.param == "engine":
        project.up()
        yield Deployed(project.namespace, time.monotonic())
        # The node has no CPU to spare for both.
        project.destroy()
        return
    namespace = f"{project.namespace}-rendered"
    config = {**project.config, "sidecar-powers:namespace": namespace}
    objects = [item.object for item in render(engine.LOCAL, config=config)]
    text = "---\n".join(map(to_yaml, objects))
    try:
        kubectl(project, "apply", "--server-side", "-f", "-", text=text)
        kubectl(project, "wait", *READY, "-n", namespace, "deployment", "--all")
        yield Deployed(namespace, time.monotonic())
    finally:
        kubectl(project, "delete", "--ignore-not-found", "-f", "-", text=text)


READY = ("--for=condition=Available", "--timeout=180s")


def kubectl(project: Project, *words: str, text: str = "") -> None:
    done = subprocess.run(
        ["kubectl", *words],
        env=project.env,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def within(seconds: float, look: Callable[[], Any]) -> Any:
    """What `look` finds, which must come within some seconds."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)
    return found


def test_every_pod_is_ready(local_cluster: Cluster, demos: Deployed) -> None:
    pods = local_cluster.pods(demos.namespace)
    assert len(pods) == len(DEMOS)
    assert all(is_ready(pod) for pod in pods)


def test_the_page_that_nginx_serves_is_the_one_that_the_sidecar_publishes(
    local_cluster: Cluster, demos: Deployed
) -> None:
    where = (demos.namespace, "shared-filesystem")

    def served() -> str:
        command = "busybox wget -qO- http://127.0.0.1:8080/"
        return local_cluster.run(*where, "main-app", command)

    first = served()
    assert re.search(r"20\d\d", first)
    assert within(15, lambda: served() != first)
    refused = local_cluster.run(*where, "main-app", "echo x >/usr/share/nginx/html/index.html")
    assert "Read-only file system" in refused


def test_the_apps_first_line_is_the_initial_configuration(
    local_cluster: Cluster, demos: Deployed
) -> None:
    def log() -> list[str]:
        return local_cluster.log(demos.namespace, "init-sidecar", "main-app").splitlines()

    assert log()[0] == "Initial config"
    assert within(100, lambda: log()[-1].startswith("Updated config "))


def test_the_app_answers_each_signal_of_the_sender(local_cluster: Cluster, demos: Deployed) -> None:
    def lines(container: str, text: str) -> int:
        return local_cluster.log(demos.namespace, "signal", container).count(text)

    sent = within(30, lambda: lines("signal-sender", "Sending SIGHUP to main process..."))
    assert within(2, lambda: lines("main-app", "Received SIGHUP!") >= sent)
    assert "Cannot" not in local_cluster.log(demos.namespace, "signal", "signal-sender")


def test_a_new_label_reaches_the_running_app(local_cluster: Cluster, demos: Deployed) -> None:
    def printed() -> list[str]:
        log = local_cluster.log(demos.namespace, "env-inherit", "main-app")
        return re.findall(r"^APP_VERSION=(\d\d-\d\d-\d\d)$", log, re.MULTILINE)

    first = within(90, printed)[-1]
    assert within(90, lambda: printed()[-1] != first)


def test_the_monitor_sees_the_processes_of_all_containers(
    local_cluster: Cluster, demos: Deployed
) -> None:
    log = local_cluster.log(demos.namespace, "resource", "resource-monitor")
    assert "nginx: master process" in log
    assert "generate-load" in log


def test_the_load_generator_is_throttled_at_its_limit(
    local_cluster: Cluster, demos: Deployed
) -> None:
    read = "cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null"
    stat = local_cluster.run(demos.namespace, "resource", "load-generator", read)
    numbers = dict(line.split() for line in stat.splitlines())
    assert int(numbers["nr_throttled"]) > int(numbers["nr_periods"]) * 0.5


def test_only_the_version_updater_has_a_token(local_cluster: Cluster, demos: Deployed) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    for pod in local_cluster.pods(demos.namespace):
        spec = pod.spec
        init: list[Any] = spec.init_containers or []
        for container in [*init, *spec.containers]:
            mounts: list[Any] = container.volume_mounts or []
            mounted = [mount.mount_path for mount in mounts]
            assert (folder in mounted) == (container.name == "version-updater")


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
    local_cluster: Cluster, demos: Deployed, what: str
) -> None:
    name, patch = PATCHES[what]
    own = local_cluster.pod(demos.namespace, "env-inherit").metadata.name
    neighbour = local_cluster.pod(demos.namespace, "signal").metadata.name
    pod = name.format(own=own, neighbour=neighbour)
    command = (
        "d=/var/run/secrets/kubernetes.io/serviceaccount; curl --silent --cacert $d/ca.crt"
        ' --header "Authorization: Bearer $(cat $d/token)" --request PATCH'
        " --header 'Content-Type: application/strategic-merge-patch+json'"
        f" --data '{json.dumps(patch)}' --output /dev/null --write-out '%{{http_code}}'"
        " https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
        f"/api/v1/namespaces/{demos.namespace}/pods/{pod}"
    )
    where = (demos.namespace, "env-inherit", "version-updater")
    assert local_cluster.run(*where, command) in ("403", "422")
    allowed = command.replace(json.dumps(patch), '{"metadata":{"labels":{"version":"by-hand"}}}')
    assert local_cluster.run(*where, allowed.replace(pod, own)) == "200"


def test_after_a_minute_nothing_has_restarted(local_cluster: Cluster, demos: Deployed) -> None:
    time.sleep(max(0, 60 - (time.monotonic() - demos.since)))
    pods = local_cluster.pods(demos.namespace)
    assert [restarts(pod) for pod in pods] == [0] * len(DEMOS)
    assert all(is_ready(pod) for pod in pods)
