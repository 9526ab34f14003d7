"""Every option, switched on a running stack, does what its preview says and leaves no orphan."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tests.cluster.converged import assert_converged, live, ownerless
from tests.cluster.project import Change, Cluster, Object, Project
from tests.cluster.switches import WALKS, Switch, random_settings

pytestmark = pytest.mark.long


class Walk:
    """A stack that goes from one switch to the next."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.runs: Object | None = None
        """What is deployed, if that is known."""

    def configure(self, settings: Object) -> None:
        namespace = settings.get("namespace", "{stack}").format(stack=self.project.stack)
        self.project.configure(**{**settings, "namespace": namespace})

    def start(self, settings: Object) -> None:
        """Deploy it, unless that is what runs."""
        if self.runs != settings:
            self.configure(settings)
            self.project.up()
        # Until the next switch has succeeded.
        self.runs = None


@pytest.fixture(scope="module")
def walks(
    local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Walk]]:
    """The walk of a name, from wherever it is."""
    begun: dict[str, Walk] = {}
    with ExitStack() as exits:

        def walk(name: str) -> Walk:
            if name not in begun:
                project = Project(tmp_path_factory.mktemp(name))
                exits.callback(project.destroy)
                exits.callback(project.pulumi, "state", "unprotect", "--all", "--yes")
                begun[name] = Walk(project)
            return begun[name]

        yield walk


CASES: list[Any] = [
    pytest.param(
        name,
        before.settings,
        switch,
        marks=pytest.mark.xdist_group(f"switches-{name}"),
        id=f"{name}: {switch.what}",
    )
    for name, switches in WALKS.items()
    for before, switch in pairwise(switches)
]


@pytest.mark.parametrize(("name", "before", "switch"), CASES)
def test_a_switch_does_what_its_preview_says_and_leaves_no_orphan(
    walks: Callable[[str], Walk], name: str, before: Object, switch: Switch
) -> None:
    walk = walks(name)
    walk.start(before)
    old = ownerless(live(walk.project))
    walk.configure(switch.settings)
    previewed = walk.project.previewed()
    assert walk.project.changed() == previewed
    changes = {urn: previewed[urn] for urn in previewed if "$kubernetes:" in urn}
    for operation in ("create", "update", "replace", "delete"):
        assert _kinds(changes, operation) == Counter(getattr(switch, operation).split())
    for urn, change in changes.items():
        forcing = any(field.startswith(switch.because) for field in change.forcing)
        assert forcing == (change.operation == "replace"), urn
    assert_converged(walk.project)
    _assert_done(changes, old, ownerless(live(walk.project)))
    walk.runs = switch.settings


@pytest.mark.xdist_group("switches-random")
@pytest.mark.parametrize("number", range(10))
def test_a_random_walk_comes_to_rest_after_each_step(
    walks: Callable[[str], Walk], number: int
) -> None:
    walk = walks("random")
    walk.configure(random_settings(Random(number)))
    previewed = walk.project.previewed()
    assert walk.project.changed() == previewed
    assert_converged(walk.project)


def _assert_done(changes: dict[str, Change], old: list[Object], new: list[Object]) -> None:
    """The objects that are gone, new and touched are those that the changes are about."""
    before = {item["metadata"]["uid"]: item for item in old}
    after = {item["metadata"]["uid"]: item for item in new}
    gone = Counter(before[uid]["kind"] for uid in before.keys() - after.keys())
    made = Counter(after[uid]["kind"] for uid in after.keys() - before.keys())
    kept = before.keys() & after.keys()
    touched = [uid for uid in kept if _generation(before[uid]) != _generation(after[uid])]
    assert gone == _kinds(changes, "delete", "replace")
    assert made == _kinds(changes, "create", "replace")
    assert Counter(after[uid]["kind"] for uid in touched) <= _kinds(changes, "update")


def _kinds(changes: dict[str, Change], *operations: str) -> Counter[str]:
    chosen: Iterable[str] = (urn for urn in changes if changes[urn].operation in operations)
    return Counter(urn.split("::")[2].rpartition(":")[2] for urn in chosen)


def _generation(item: Object) -> int:
    """It rises with each change of what is declared; some kinds have none."""
    return item["metadata"].get("generation", 0)
