"""What has lost its power does not pass, and what is wrong is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cluster.faults import within
from tests.cluster.patched import applied, container
from tests.cluster.project import Cluster, Object, Project
from tools import paths
from tools.errors import CommandError
from tools.target import Target
from tools.verify import Result, verify

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("verify")]


def argument(spec: Object, name: str, number: int, value: str) -> None:
    """Change an argument of a container's script, counted from the end."""
    container(spec, name)["command"][-number] = value


def script(spec: Object, name: str, old: str, new: str) -> None:
    """Change what a container's script does."""
    command = container(spec, name)["command"]
    assert old in command[2]
    command[2] = command[2].replace(old, new)


def writable(spec: Object) -> None:
    del container(spec, "main-app")["volumeMounts"][0]["readOnly"]


def share_token(spec: Object) -> None:
    mounts = container(spec, "main-app")["volumeMounts"]
    mounts.append({"name": "api-token", "mountPath": "/tokens", "readOnly": True})


SMALL = {
    "main-app": {"requests": {"cpu": "10m"}},
    "resource-monitor": {"requests": {"cpu": "10m"}},
    "load-generator": {"requests": {"cpu": "10m"}, "limits": {"cpu": "20m"}},
}
"""The node has more to run."""

BREAKS: dict[str, tuple[str, Object, Callable[[Object], None], set[str]]] = {
    "page-stands-still": (
        "shared-filesystem",
        {"intervalSeconds": 2},
        lambda spec: argument(spec, "sidecar-config", 1, "3600"),
        {"page changes"},
    ),
    "page-is-torn": (
        "shared-filesystem",
        {"intervalSeconds": 2},
        lambda spec: script(
            spec,
            "sidecar-config",
            'date | publish "$file"',
            'now=$(date); printf "%s" "${now%:*}" >"$file"; sleep 0.2; echo "$now" >"$file"',
        ),
        {"pages are whole"},
    ),
    "app-can-write": (
        "shared-filesystem",
        {"intervalSeconds": 2},
        writable,
        {"main-app can't write"},
    ),
    "update-comes-first": (
        "init-sidecar",
        {"intervalSeconds": 2, "appIntervalSeconds": 2},
        lambda spec: argument(spec, "init-config", 1, "Updated config"),
        {"initial config first"},
    ),
    "update-never-comes": (
        "init-sidecar",
        {"intervalSeconds": 2, "appIntervalSeconds": 2},
        # Its commands show nothing either: there is no update to be reported.
        lambda spec: argument(spec, "sidecar-config-updater", 1, "3600"),
        {"updated later", "printed commands"},
    ),
    "signal-is-not-handled": (
        "signal",
        {"intervalSeconds": 2},
        lambda spec: script(spec, "main-app", "' HUP", "' USR1"),
        {"signals answered", "only the app"},
    ),
    "signal-goes-to-others": (
        "signal",
        {"intervalSeconds": 2, "appIntervalSeconds": 30},
        lambda spec: script(
            spec,
            "signal-sender",
            'error=$(kill -HUP "$pid" 2>&1)',
            'error=$(kill -HUP "$pid" $(grep -l sleep /proc/[0-9]*/comm | tr -dc "0-9\\n") 2>&1)',
        ),
        {"only the app"},
    ),
    "app-has-the-token": (
        "env-inherit",
        {"intervalSeconds": 5},
        share_token,
        {"token only in the sidecar"},
    ),
    "load-is-idle": (
        "resource",
        {"resources": SMALL},
        # The commands of the checks are what is throttled then.
        lambda spec: container(spec, "load-generator").update(command=["sleep", "3600"]),
        {"load throttled", "monitor sees all"},
    ),
    "monitor-is-alone": (
        "resource",
        {"resources": SMALL},
        lambda spec: spec.update(shareProcessNamespace=False),
        {"monitor sees all"},
    ),
    "label-stays": (
        "env-inherit",
        {"intervalSeconds": 5, "appIntervalSeconds": 2},
        lambda spec: argument(spec, "version-updater", 2, "3600"),
        {"label reaches the app"},
    ),
}
"""Pattern, options, what is broken, and the checks that notice it."""


@pytest.fixture(scope="module")
def results(local_cluster: Cluster, project: Project) -> list[Result]:
    """What verify says of demos each of which is broken in one way."""
    demos = {key: {"demo": pattern, **options} for key, (pattern, options, *_) in BREAKS.items()}
    project.configure(demos=demos)
    with applied(project, lambda key, spec: BREAKS[key][2](spec)):
        return project.verified()


@pytest.mark.parametrize("key", BREAKS)
def test_the_checks_of_a_broken_power_fail_and_no_others(results: list[Result], key: str) -> None:
    found = {result.check: result for result in results if result.demo == key}
    failed = {name for name, result in found.items() if not result.passed}
    # It may come upon a torn page as well.
    failed -= {"page changes"} if key == "page-is-torn" else set[str]()
    assert failed == BREAKS[key][3], {name: result.seen for name, result in found.items()}
    assert len(found) >= 4


def image(spec: Object) -> None:
    container(spec, "signal-sender")["image"] = "localhost/sidecar-powers/none:1"


def crowd(spec: Object) -> None:
    container(spec, "signal-sender")["resources"] = {
        "requests": {"cpu": "64", "memory": "16Mi"},
        "limits": {"cpu": "64", "memory": "64Mi"},
    }


def mount_nothing(spec: Object) -> None:
    spec["volumes"] = [{"name": "settings", "configMap": {"name": "missing"}}]
    container(spec, "main-app")["volumeMounts"] = [{"name": "settings", "mountPath": "/settings"}]


def hog(spec: Object) -> None:
    container(spec, "signal-sender")["command"] = ["tail", "/dev/zero"]


def fail(spec: Object) -> None:
    command = ["/bin/sh", "-c", "echo no configuration to be had; exit 3"]
    container(spec, "init-config")["command"] = command


CAUSES: dict[str, tuple[str, Callable[[Object], None], list[str]]] = {
    "no-image": (
        "signal",
        image,
        ['native sidecar "signal-sender"', "image localhost/sidecar-powers/none:1", "ImagePull"],
    ),
    "no-room": ("signal", crowd, ["is pending", "Unschedulable", "Insufficient cpu"]),
    "no-admission": (
        "signal",
        lambda spec: spec.update(hostNetwork=True),
        ["FailedCreate", "violates PodSecurity"],
    ),
    "no-volume": (
        "signal",
        mount_nothing,
        ["FailedMount", 'configmap "missing" not found'],
    ),
    "no-memory": ("signal", hog, ['native sidecar "signal-sender"', "OOMKilled, exit code 137"]),
    "no-config": (
        "init-sidecar",
        fail,
        ['init container "init-config"', "exit code 3", "no configuration to be had"],
    ),
}
"""Pattern, what is broken, and what the likely cause must say."""


@pytest.fixture(scope="module")
def causes(local_cluster: Cluster, project: Project) -> dict[str, str]:
    """The causes that verify names for demos that don't get ready, by key."""
    project.configure(demos={key: {"demo": pattern} for key, (pattern, *_) in CAUSES.items()})
    with applied(project, lambda key, spec: CAUSES[key][1](spec), available=False):
        results = project.verified()
    found = dict.fromkeys(CAUSES, "")
    for result in results:
        # For a moment, what ends again and again is ready.
        assert result.demo == "no-memory" or not result.passed
        found[result.demo] += "\n".join(result.causes)
    return found


@pytest.mark.parametrize("key", CAUSES)
def test_the_cause_is_named(causes: dict[str, str], key: str) -> None:
    for words in CAUSES[key][2]:
        assert words in causes[key]


def test_a_rollout_that_is_stuck_is_not_passed_for_the_pods_that_it_leaves(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos={"signal": {}})
    project.up()

    # Pod Security refuses the new pods, so the old one stays.
    def use_host_network(value: bool | None) -> None:
        change = {"spec": {"template": {"spec": {"hostNetwork": value}}}}
        local_cluster.apps.patch_namespaced_deployment("signal-demo", project.namespace, change)

    use_host_network(True)
    ready = project.verified()
    assert [(result.check, result.passed) for result in ready] == [("ready", False)]
    assert ready[0].seen == "0 of 1 pods are up to date"
    assert "violates PodSecurity" in "\n".join(ready[0].causes)
    use_host_network(None)
    project.verify()


def test_a_missing_rule_is_named_as_rbac_spells_it(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos={"env-inherit": {"intervalSeconds": 5}})
    project.up()
    local_cluster.rbac.delete_namespaced_role("pod-labeler", project.namespace)
    results = project.verified()
    failed = {result.check: "\n".join(result.causes) for result in results if not result.passed}
    assert set(failed) == {"label reaches the app", "own label only"}
    rule = 'lacks the rule apiGroups: [""], resources: ["pods"], verbs: ["patch"]'
    account = f"system:serviceaccount:{project.namespace}:pod-labeler"
    for cause in failed.values():
        assert f"RBAC: {account} {rule} in namespace {project.namespace}" in cause


def test_without_its_policy_a_sidecar_that_could_do_more_is_found_out(
    local_cluster: Cluster, project: Project
) -> None:
    project.configure(demos={"env-inherit": {"intervalSeconds": 5}})
    project.up("--refresh")
    name = f"{project.namespace}.pod-labeler"
    local_cluster.admission.delete_validating_admission_policy_binding(name)

    def seen() -> str:
        results = {result.check: result for result in project.verified()}
        return results["own label only"].seen

    # The API server learns of it in its own time.
    assert within(30, lambda: "another label: 200, the spec: 200" in seen())


def test_what_is_not_deployed_is_said_to_be_missing_at_once(project: Project) -> None:
    project.configure(demos={"env-inherit": {}})
    project.destroy()
    results = project.verified()
    assert [result.check for result in results] == ["ready"]
    assert results[0].seconds < 5
    where = f"namespace {project.namespace}"
    assert results[0].seen == f"there is no Deployment env-inherit-demo in {where}"


def test_somebody_whom_the_cluster_does_not_know_is_told_so(
    local_cluster: Cluster, project: Project, tmp_path: Path
) -> None:
    kubeconfig = yaml.safe_load(paths.KUBECONFIG.read_text())
    kubeconfig["users"][0]["user"] = {}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig))
    target = Target(paths.CONTEXT, paths.CONTEXT, str(file))
    with pytest.raises(CommandError, match="logs nobody in"):
        verify(project.stack, project.config, target, print)
