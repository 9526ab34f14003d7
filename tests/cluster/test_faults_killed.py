"""Whenever `pulumi` is killed, `make recover` and the command again end where it would have."""

import random
import re
from functools import partial
from typing import Any

import pytest

from tests.cluster.background import Background
from tests.cluster.converged import assert_converged, live
from tests.cluster.faults import within
from tests.cluster.project import Project
from tools import paths, recover
from tools.target import Target

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("faults-killed")]

DEPLOYMENT: dict[str, Any] = {"env-inherit": {"intervalSeconds": 5}}
POD: dict[str, Any] = {"env-inherit": {"intervalSeconds": 5, "workload": "pod"}}
CHANGED: dict[str, Any] = {"env-inherit": {"intervalSeconds": 6, "workload": "pod"}}

OBJECTS = 10
"""As many the demo has, its namespace and what belongs to that included."""


def kill(project: Project, word: str, steps: int, *words: str) -> None:
    """Kill a command when it has begun, `creating` or so, that many objects."""
    command = Background(project, *words, "--yes", "--skip-preview")
    line = re.compile(rf"(kubernetes:\S+ \S+) {word}( \w+)? \(0s\)")

    def begun() -> int:
        return len({match[1] for match in line.finditer(command.output)})

    within(60, lambda: begun() >= steps or not command.runs)
    assert command.runs, command.output
    command.kill()


def mend(project: Project) -> list[str]:
    """What `make recover` does, and what it says."""
    assert project.pulumi("up", "--yes", "--skip-preview").code != 0
    said: list[str] = []
    backend = project.env["PULUMI_BACKEND_URL"]
    target = Target(paths.CONTEXT, paths.CONTEXT, str(paths.KUBECONFIG))
    recover.recover(project.stack, backend, partial(run, project), target, said.append)
    return said


def run(project: Project, *words: str, quiet: bool = False) -> str:
    done = project.pulumi(*words)
    assert done.code == 0, done.output
    return done.output


@pytest.mark.parametrize(("least", "most"), [(1, 4), (5, 9), (OBJECTS, OBJECTS)])
def test_an_up_that_was_killed_converges_and_leaves_nothing_double(
    project: Project, least: int, most: int
) -> None:
    steps = random.randint(least, most)
    project.configure(demos=DEPLOYMENT)
    kill(project, "creating", steps, "up")
    said = mend(project)
    project.up()
    assert_converged(project)
    project.destroy()
    assert live(project) == [], (steps, said)


def test_a_replacement_that_was_killed_converges(project: Project) -> None:
    project.configure(demos=POD)
    project.up()
    project.configure(demos=CHANGED)
    for word in ("deleting", "creating"):
        kill(project, word, 1, "up")
        mend(project)
    project.up()
    assert_converged(project)


def test_an_update_that_was_killed_converges(project: Project) -> None:
    project.configure(demos=DEPLOYMENT)
    project.up()
    project.configure(demos={"env-inherit": {"intervalSeconds": 7}})
    kill(project, "updating", 1, "up")
    mend(project)
    project.up()
    assert_converged(project)


def test_a_destroy_that_was_killed_goes_on_and_leaves_nothing(project: Project) -> None:
    project.configure(demos=DEPLOYMENT)
    project.up()
    kill(project, "deleting", random.randint(1, OBJECTS - 1), "destroy")
    mend(project)
    project.destroy()
    assert live(project) == []
