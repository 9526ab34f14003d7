"""The program under the real engine: what it registers, changes, refuses and leaves."""

import pytest

from tests.cluster.faults import Events, statuses, watched, within
from tests.cluster.project import Cluster, Object, Project
from tools.render import REDACTED, render

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""

STACKS = ["article", "local", "dev", "staging", "prod"]


def key(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def hidden(item: Object) -> Object:
    """An object without what a Secret holds: the engine hides its keys too, or only its values."""
    parts = {"data", "stringData"} & item.keys() if item["kind"] == "Secret" else ()
    return {**item, **dict.fromkeys(parts, REDACTED)}


def ends(events: Events, names: dict[str, str]) -> dict[str, int]:
    """The exit codes of containers that have ended, by the names of their IDs."""
    found = events.of(*names)
    return {names[event.container]: event.code for event in found if event.code is not None}


@pytest.mark.parametrize("stack", STACKS)
def test_render_is_what_the_engine_registers(project: Project, stack: str) -> None:
    # Protection is the engine's, and would keep the test from cleaning up.
    project.configure(stack, protectNamespace="false")
    rendered = [item.object for item in render(stack, config=project.config)]
    registered = project.registered()
    assert sorted(map(hidden, registered), key=key) == sorted(map(hidden, rendered), key=key)


@pytest.fixture(scope="module")
def deployed(project: Project) -> Project:
    """The demos of the local stack."""
    project.configure()
    project.up()
    return project


def test_outputs_tell_where_each_demo_is(deployed: Project) -> None:
    demos = deployed.outputs()["demos"]
    assert sorted(demos) == sorted(deployed.config["sidecar-powers:demos"])
    for key, demo in demos.items():
        assert (demo["kind"], demo["name"]) == ("Deployment", f"{key}-demo")
        assert demo["namespace"] == deployed.namespace
        assert demo["commands"]


def test_the_qos_class_is_the_one_that_the_outputs_predict(
    local_cluster: Cluster, deployed: Project
) -> None:
    for key, demo in deployed.outputs()["demos"].items():
        pod = local_cluster.pod(deployed.namespace, key)
        assert pod.status.qos_class == demo["qosClass"] == "Burstable"


def test_refresh_and_a_second_up_change_nothing(deployed: Project) -> None:
    assert "unchanged" in deployed.refresh()
    deployed.up("--expect-no-changes")


def test_a_wrong_stack_file_is_one_clear_message(deployed: Project) -> None:
    deployed.configure(demos={"signal": {"intervalSeconds": 0}, "resorce": {}})
    done = deployed.pulumi("preview")
    deployed.configure()
    assert done.code != 0
    assert "demos.signal.intervalSeconds: found 0, allowed is at least 1" in done.output
    assert "demos.resorce: found 'resorce'" in done.output
    assert "did you mean resource?" in done.output
    assert "Traceback" not in done.output
    assert "to create" not in done.output


def test_destroy_leaves_nothing_and_no_container_waits_to_be_killed(
    local_cluster: Cluster, deployed: Project
) -> None:
    """A container that ignores TERM would hold up the destroy for its whole grace period."""
    running = {
        status.container_id.removeprefix("containerd://"): f"{pod.metadata.name}/{name}"
        for pod in local_cluster.pods(deployed.namespace)
        for name, status in statuses(pod).items()
        if status.state.running
    }
    assert running
    with watched(deployed.folder) as events:
        deployed.destroy()
        within(10, lambda: len(ends(events, running)) == len(running))
    assert {name: code for name, code in ends(events, running).items() if code} == {}
    namespaces = [item.metadata.name for item in local_cluster.core.list_namespace().items]
    assert deployed.namespace not in namespaces
    for listed in (
        local_cluster.admission.list_validating_admission_policy,
        local_cluster.admission.list_validating_admission_policy_binding,
    ):
        names = [item.metadata.name for item in listed().items]
        assert not [name for name in names if name.startswith(deployed.namespace)]
