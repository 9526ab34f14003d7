"""Every stack comes to rest: minutes after an up there is nothing left to do."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context

import pytest

from tests.cluster.converged import live, problems
from tests.cluster.project import Cluster, Object, Project
from tools import engine

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("demos")]

STACKS = ["article", "local", "dev", "staging", "prod"]
REST_S = 120


@dataclass(frozen=True)
class Deployed:
    """A stack, when it was deployed, and the pods that it had then."""

    project: Project
    since: float
    pods: set[str]


@pytest.fixture(scope="module")
def deployed(
    local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Deployed]]:
    """All stacks, so that they rest side by side."""
    found: dict[str, Deployed] = {}
    with ExitStack() as exits:
        for stack in STACKS:
            project = Project(tmp_path_factory.mktemp(stack))
            exits.callback(project.destroy)
            project.configure(stack, **for_the_local_cluster(stack))
            project.up()
            found[stack] = Deployed(project, time.monotonic(), pods(project))
        yield found


def for_the_local_cluster(stack: str) -> Object:
    """What of a stack's file must differ to run here beside the others, and to be removed."""
    images = engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]["images"]
    demos: dict[str, Object] = engine.stack_config(stack)["sidecar-powers:demos"]
    for options in demos.values():
        options.pop("images", None)
    # Together they would request more CPU than the node has, and their load would take it all.
    resources = {name: {"requests": {"cpu": "10m"}} for name in ("main-app", "resource-monitor")}
    if demos["resource"].get("loadWorkers") != 0:
        resources["load-generator"] = {"requests": {"cpu": "10m"}, "limits": {"cpu": "50m"}}
    demos["resource"]["resources"] = resources
    if "resize" in demos:
        demos["resize"]["maxCpu"] = "80m"
    return {"demos": demos, "defaults": {"images": images}, "protectNamespace": False}


def pods(project: Project) -> set[str]:
    return {item["metadata"]["uid"] for item in live(project) if item["kind"] == "Pod"}


@pytest.mark.parametrize("stack", STACKS)
def test_two_minutes_after_an_up_neither_refresh_nor_up_finds_anything_to_do(
    deployed: dict[str, Deployed], stack: str
) -> None:
    project, since = deployed[stack].project, deployed[stack].since
    time.sleep(max(0, since + REST_S - time.monotonic()))
    project.refresh()
    project.up("--expect-no-changes")
    assert problems(project) == []
    assert pods(project) == deployed[stack].pods


def test_then_every_power_works_in_every_stack(deployed: dict[str, Deployed]) -> None:
    # Rendering sets this process's engine, so that each stack needs a process.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(Project.verify, [one.project for one in deployed.values()]))
