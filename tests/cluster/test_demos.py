"""The five demos in their default form, deployed by the engine, each power seen at work.

One story in the order of the file: up, look, refresh, up, down.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.project import Cluster, Project, is_ready, restarts

DEMOS = ["shared-filesystem", "init-sidecar", "signal", "env-inherit", "resource"]


@pytest.fixture(scope="module", autouse=True)
def deployed(project: Project) -> float:
    """When the demos were up."""
    project.up()
    return time.monotonic()


def within(seconds: float, look: Callable[[], Any]) -> Any:
    """What `look` finds, which must come within some seconds."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)
    return found


def test_up_returns_when_every_pod_is_ready(local_cluster: Cluster, project: Project) -> None:
    pods = local_cluster.pods(project.namespace)
    assert len(pods) == len(DEMOS)
    assert all(is_ready(pod) for pod in pods)


def test_outputs_tell_where_each_demo_is(project: Project) -> None:
    demos = project.outputs()["demos"]
    assert sorted(demos) == sorted(DEMOS)
    for key, demo in demos.items():
        assert (demo["kind"], demo["name"]) == ("Deployment", f"{key}-demo")
        assert demo["namespace"] == project.namespace
        assert demo["commands"]


def test_the_qos_class_is_the_one_that_the_outputs_predict(
    local_cluster: Cluster, project: Project
) -> None:
    for key, demo in project.outputs()["demos"].items():
        pod = local_cluster.pod(project.namespace, key)
        assert pod.status.qos_class == demo["qosClass"] == "Burstable"


def test_the_page_that_nginx_serves_is_the_one_that_the_sidecar_publishes(
    local_cluster: Cluster, project: Project
) -> None:
    where = (project.namespace, "shared-filesystem")

    def served() -> str:
        command = "busybox wget -qO- http://127.0.0.1:8080/"
        return local_cluster.run(*where, "main-app", command)

    first = served()
    assert re.search(r"20\d\d", first)
    assert within(15, lambda: served() != first)
    refused = local_cluster.run(*where, "main-app", "echo x >/usr/share/nginx/html/index.html")
    assert "Read-only file system" in refused


def test_the_apps_first_line_is_the_initial_configuration(
    local_cluster: Cluster, project: Project
) -> None:
    def log() -> list[str]:
        return local_cluster.log(project.namespace, "init-sidecar", "main-app").splitlines()

    assert log()[0] == "Initial config"
    assert within(100, lambda: log()[-1].startswith("Updated config "))


def test_the_app_answers_each_signal_of_the_sender(
    local_cluster: Cluster, project: Project
) -> None:
    def lines(container: str, text: str) -> int:
        return local_cluster.log(project.namespace, "signal", container).count(text)

    sent = within(30, lambda: lines("signal-sender", "Sending SIGHUP to main process..."))
    assert within(2, lambda: lines("main-app", "Received SIGHUP!") >= sent)
    assert "Cannot" not in local_cluster.log(project.namespace, "signal", "signal-sender")


def test_a_new_label_reaches_the_running_app(local_cluster: Cluster, project: Project) -> None:
    def printed() -> list[str]:
        log = local_cluster.log(project.namespace, "env-inherit", "main-app")
        return re.findall(r"^APP_VERSION=(\d\d-\d\d-\d\d)$", log, re.MULTILINE)

    first = within(90, printed)[-1]
    assert within(90, lambda: printed()[-1] != first)


def test_the_monitor_sees_the_processes_of_all_containers(
    local_cluster: Cluster, project: Project
) -> None:
    log = local_cluster.log(project.namespace, "resource", "resource-monitor")
    assert "nginx: master process" in log
    assert "generate-load" in log


def test_the_load_generator_is_throttled_at_its_limit(
    local_cluster: Cluster, project: Project
) -> None:
    read = "cat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null"
    stat = local_cluster.run(project.namespace, "resource", "load-generator", read)
    numbers = dict(line.split() for line in stat.splitlines())
    assert int(numbers["nr_throttled"]) > int(numbers["nr_periods"]) * 0.5


def test_only_the_version_updater_has_a_token(local_cluster: Cluster, project: Project) -> None:
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    for pod in local_cluster.pods(project.namespace):
        spec = pod.spec
        init: list[Any] = spec.init_containers or []
        for container in [*init, *spec.containers]:
            mounts: list[Any] = container.volume_mounts or []
            mounted = [mount.mount_path for mount in mounts]
            assert (folder in mounted) == (container.name == "version-updater")


PATCHES = {
    "a neighbour": ("{neighbour}", {"metadata": {"labels": {"version": "x"}}}),
    "another label": ("{own}", {"metadata": {"labels": {"other": "x"}}}),
    "a label taken away": (
        "{own}",
        {"metadata": {"labels": {"app.kubernetes.io/instance": None}}},
    ),
    "an annotation": ("{own}", {"metadata": {"annotations": {"a": "b"}}}),
    "a finalizer": ("{own}", {"metadata": {"finalizers": ["example.org/x"]}}),
    "the image": ("{own}", {"spec": {"activeDeadlineSeconds": 5}}),
}


@pytest.mark.parametrize("what", PATCHES)
def test_the_labeler_can_change_nothing_but_its_own_label(
    local_cluster: Cluster, project: Project, what: str
) -> None:
    name, patch = PATCHES[what]
    own = local_cluster.pod(project.namespace, "env-inherit").metadata.name
    neighbour = local_cluster.pod(project.namespace, "signal").metadata.name
    pod = name.format(own=own, neighbour=neighbour)
    command = (
        "d=/var/run/secrets/kubernetes.io/serviceaccount; curl --silent --cacert $d/ca.crt"
        ' --header "Authorization: Bearer $(cat $d/token)" --request PATCH'
        " --header 'Content-Type: application/merge-patch+json'"
        f" --data '{json.dumps(patch)}' --output /dev/null --write-out '%{{http_code}}'"
        " https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
        f"/api/v1/namespaces/{project.namespace}/pods/{pod}"
    )
    where = (project.namespace, "env-inherit", "version-updater")
    assert local_cluster.run(*where, command) in ("403", "422")
    allowed = command.replace(json.dumps(patch), '{"metadata":{"labels":{"version":"by-hand"}}}')
    assert local_cluster.run(*where, allowed.replace(pod, own)) == "200"


def test_after_a_minute_nothing_has_restarted(
    local_cluster: Cluster, project: Project, deployed: float
) -> None:
    time.sleep(max(0, 60 - (time.monotonic() - deployed)))
    pods = local_cluster.pods(project.namespace)
    assert [restarts(pod) for pod in pods] == [0] * len(DEMOS)
    assert all(is_ready(pod) for pod in pods)


def test_refresh_and_a_second_up_change_nothing(project: Project) -> None:
    assert "unchanged" in project.refresh()
    project.up("--expect-no-changes")


def test_a_wrong_stack_file_is_one_clear_message(project: Project) -> None:
    project.configure(demos={"signal": {"intervalSeconds": 0}, "resorce": {}})
    done = project.pulumi("preview")
    project.configure()
    assert done.code != 0
    assert "demos.signal.intervalSeconds: found 0, allowed is at least 1" in done.output
    assert "demos.resorce: found 'resorce'" in done.output
    assert "did you mean resource?" in done.output
    assert "Traceback" not in done.output
    assert "to create" not in done.output


def test_destroy_leaves_nothing_and_takes_seconds(local_cluster: Cluster, project: Project) -> None:
    started = time.monotonic()
    project.destroy()
    assert time.monotonic() - started < 20
    namespaces = [item.metadata.name for item in local_cluster.core.list_namespace().items]
    assert project.namespace not in namespaces
    for listed in (
        local_cluster.admission.list_validating_admission_policy,
        local_cluster.admission.list_validating_admission_policy_binding,
    ):
        names = [item.metadata.name for item in listed().items]
        assert not [name for name in names if name.startswith(project.namespace)]
