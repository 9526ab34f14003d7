"""A plug-in is exchanged under a running app; a wrong, cut off or absent one changes nothing."""

import base64
import re
from typing import Any

import pytest

from components.checks import SYNC
from components.plugin_offer import greeter
from tests.cluster.faults import statuses, within
from tests.cluster.project import Cluster, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("dependency-injection")

DEMO, SERVER = "dependency-injection", "dependency-injection-demo-source"
INTERVAL = 15
TAKEN = 2 * SYNC + INTERVAL
"""Seconds for both ConfigMaps to arrive, and for an attempt after that."""

WRONG = "0" * 64


def configured(project: Project, **options: Any) -> None:
    pace = {"intervalSeconds": INTERVAL, "appIntervalSeconds": 1}
    project.configure(demos={DEMO: {**pace, **options}})


def status(cluster: Cluster, project: Project) -> str:
    return cluster.run(project.namespace, DEMO, "plugin-fetcher", "cat /plugins/status")


def says(cluster: Cluster, project: Project, beginning: str) -> str:
    """What the fetcher says, which must come to begin so."""
    cluster.hurry(project.namespace)
    within(TAKEN, lambda: status(cluster, project).startswith(beginning))
    return status(cluster, project)


def lines(cluster: Cluster, project: Project) -> list[str]:
    return cluster.log(project.namespace, DEMO, "main-app").splitlines()


def printed(version: str) -> str:
    return f"Plug-in greeter {version}: Hello"


def served(cluster: Cluster, project: Project, replicas: int) -> None:
    """Scale the server by hand, and wait until it is so."""
    where = SERVER, project.namespace
    cluster.apps.patch_namespaced_deployment_scale(*where, {"spec": {"replicas": replicas}})

    def scaled() -> bool:
        selector = f"app.kubernetes.io/instance={SERVER}"
        found = cluster.core.list_namespaced_pod(project.namespace, label_selector=selector).items
        return len(found) == replicas and all(map(is_ready, found))

    within(60, scaled)


@pytest.fixture(scope="module")
def pod(local_cluster: Cluster, project: Project) -> Any:
    """The pod, which must stay the same one throughout."""
    configured(project)
    project.up()
    return local_cluster.pod(project.namespace, DEMO)


def test_a_plug_in_that_pulumi_offers_is_taken_by_the_same_containers(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    configured(project, version="2.0.0")
    changes = project.changed()
    assert {urn.rpartition("::")[2]: item.operation for urn, item in changes.items()} == {
        f"{DEMO}-demo": "update",
        SERVER: "update",
    }
    says(local_cluster, project, "using 2.0.0, sha256 ")
    within(10, lambda: lines(local_cluster, project)[-1] == printed("2.0.0"))
    assert set(lines(local_cluster, project)) == {printed("1.0.0"), printed("2.0.0")}
    found = local_cluster.pod(project.namespace, DEMO)
    assert (found.metadata.uid, restarts(found)) == (pod.metadata.uid, 0)
    project.verify()


@pytest.mark.long
def test_a_wrong_digest_is_refused_by_name_and_the_plug_in_before_runs_on(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    configured(project, version="2.0.0")
    project.up()
    using = says(local_cluster, project, "using 2.0.0, sha256 ").split()[-1]
    configured(project, version="2.0.0", sha256=WRONG)
    project.up()
    said = says(local_cluster, project, "refused 2.0.0, 2.0.0 stays: ")
    assert f"sha256 is {using}, wanted {WRONG}; trying again in" in said
    assert said in local_cluster.log(project.namespace, DEMO, "plugin-fetcher")
    failed = [result for result in project.verified() if not result.passed]
    assert [result.check for result in failed] == ["bundle current"]
    assert f"wanted {WRONG}" in failed[0].seen
    found = local_cluster.pod(project.namespace, DEMO)
    assert is_ready(found)
    assert (found.metadata.uid, restarts(found)) == (pod.metadata.uid, 0)
    # What is right again is taken up.
    configured(project, version="2.0.0")
    project.up()
    assert says(local_cluster, project, "using 2.0.0").split()[-1] == using


@pytest.mark.long
def test_a_bundle_that_is_cut_off_is_said_to_be_truncated(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    served(local_cluster, project, 0)
    configured(project, version="3.0.0")
    project.up()
    where = SERVER, project.namespace
    bundle, _ = greeter({"version": "3.0.0"})
    (file,) = local_cluster.core.read_namespaced_config_map(*where).binary_data
    part = {"binaryData": {file: base64.b64encode(bundle[:1000]).decode()}}
    local_cluster.core.patch_namespaced_config_map(*where, part)
    served(local_cluster, project, 1)
    said = says(local_cluster, project, "refused 3.0.0, ")
    assert f"stays: truncated, 1000 of {len(bundle)} bytes: sha256 is " in said
    assert lines(local_cluster, project)[-1] != printed("3.0.0")
    # The ConfigMap as it was declared.
    project.up("--refresh")
    says(local_cluster, project, "using 3.0.0")
    assert restarts(local_cluster.pod(project.namespace, DEMO)) == 0
    project.verify()
    assert pod


@pytest.mark.long
def test_a_source_that_is_away_is_asked_less_and_less_and_then_found(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    served(local_cluster, project, 0)
    configured(project, version="4.0.0")
    project.up()
    says(local_cluster, project, "cannot fetch 4.0.0, ")

    def pauses() -> list[str]:
        log = local_cluster.log(project.namespace, DEMO, "plugin-fetcher")
        return re.findall(r"cannot fetch 4.*: no connection to .*; trying again in (\d+) s", log)

    within(60, lambda: len(pauses()) == 5)
    assert pauses() == ["1", "2", "4", "8", str(INTERVAL)]
    assert lines(local_cluster, project)[-1] != printed("4.0.0")
    served(local_cluster, project, 1)
    says(local_cluster, project, "using 4.0.0")
    within(10, lambda: lines(local_cluster, project)[-1] == printed("4.0.0"))
    found = local_cluster.pod(project.namespace, DEMO)
    assert (found.metadata.uid, restarts(found)) == (pod.metadata.uid, 0)
    known = [printed(f"{number}.0.0") for number in (1, 2, 3, 4)]
    assert set(lines(local_cluster, project)) <= set(known)


@pytest.mark.long
@pytest.mark.parametrize("sidecars", ["native", "classic"])
def test_an_app_whose_plug_in_is_wrong_does_not_start_and_up_says_why(
    local_cluster: Cluster, project: Project, pod: Any, sidecars: str
) -> None:
    key = f"wrong-{sidecars}"
    options = {"demo": DEMO, "sha256": WRONG, "timeoutSeconds": 30, "sidecars": sidecars}
    kept = project.config["sidecar-powers:demos"][DEMO]
    project.configure(demos={DEMO: kept, key: options})
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.code != 0
    log = local_cluster.log(project.namespace, key, "plugin-fetcher")
    reason = log.splitlines()[-1].partition(";")[0]
    assert re.fullmatch(f"refused 1.0.0: sha256 is [0-9a-f]{{64}}, wanted {WRONG}", reason)
    assert reason in done.output
    found = local_cluster.pod(project.namespace, key)
    assert not is_ready(found)
    if sidecars == "native":
        assert statuses(found)["main-app"].state.waiting
    else:
        # It starts with its sidecar, and waits for its first plug-in.
        assert local_cluster.log(project.namespace, key, "main-app") == ""
    assert is_ready(local_cluster.pod(project.namespace, DEMO))
    assert pod
