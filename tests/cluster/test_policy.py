"""The policy pack under the engine: it stops what `make policy` says that it would."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from policy.judge import Verdict, judged
from policy.manifests import Manifests
from policy.rules import RULES
from policy.waivers import waivers
from stacks.settings import decoded, encoded, read_policies
from tests.cluster.program import Done
from tests.cluster.project import Cluster, Object, Project
from tools import engine, paths
from tools.render import render

pytestmark = pytest.mark.xdist_group("policy")

UNPINNED: Object = {
    "allowUnpinnedImages": True,
    "demos": {"signal": {"images": {"main-app": "busybox"}}},
}
UNSCOPED: Object = {"demos": {"env-inherit": {"admissionPolicy": False}, "signal": {}}}
COSTLY: Object = {"demos": {"signal": {"replicas": 2}}, "budget": {"pods": "1"}}
BOTH: Object = {
    **UNPINNED,
    "demos": {**UNPINNED["demos"], "env-inherit": {"admissionPolicy": False}},
}


def waived(expires: str) -> Object:
    waiver = {"reason": "It is a test.", "expires": expires}
    return {**UNPINNED, "waivers": {"images-pinned": {"Deployment/signal-*": waiver}}}


def run(project: Project, *command: str, **settings: Any) -> Done:
    project.configure(**settings)
    return project.pulumi(*command, "--policy-pack", str(paths.ROOT / "policy"))


def verdicts(project: Project) -> Iterator[Verdict]:
    """What the rules say of what the stack renders."""
    config = project.config
    settings = read_policies(decoded(encoded(config)))
    objects = [item.object for item in render(engine.LOCAL, config=config)]
    manifests = Manifests(objects, settings.budget)
    yield from judged(manifests, waivers(settings), datetime.now(UTC).date(), RULES)


@pytest.mark.parametrize("workload", ["deployment", "pod"])
def test_the_local_stack_passes_all_policies(project: Project, workload: str) -> None:
    done = run(project, "preview", defaults={"workload": workload})
    assert done.code == 0, done.output
    assert "✅ sidecar-powers@" in done.output


@pytest.mark.parametrize("settings", [UNPINNED, UNSCOPED, COSTLY, BOTH])
def test_the_engine_finds_what_is_found_in_rendered_manifests(
    project: Project, settings: Object
) -> None:
    done = run(project, "preview", **settings)
    assert done.code != 0, done.output
    expected = list(verdicts(project))
    assert expected
    for verdict in expected:
        assert verdict.message in done.output
    told = re.findall(r"\[mandatory\]\s+(\S+)", done.output)
    assert sorted(set(told)) == sorted({verdict.rule.name for verdict in expected})


def test_up_deploys_nothing_that_violates_a_policy(
    local_cluster: Cluster, project: Project
) -> None:
    done = run(project, "up", "--yes", **UNSCOPED)
    assert done.code != 0, done.output
    assert "rbac-scoped-pod-patch" in done.output
    names = [item.metadata.name for item in local_cluster.core.list_namespace().items]
    assert project.namespace not in names


def test_a_waiver_lets_a_violation_pass_and_is_shown(project: Project) -> None:
    done = run(project, "preview", **waived("2999-12-31"))
    assert done.code == 0, done.output
    assert "[advisory]  waivers" in done.output
    assert "waived until 2999-12-31: It is a test." in done.output


def test_a_waiver_that_has_expired_lets_nothing_pass(project: Project) -> None:
    done = run(project, "preview", **waived("2020-12-31"))
    assert done.code != 0, done.output
    assert "its waiver expired on 2020-12-31" in done.output
