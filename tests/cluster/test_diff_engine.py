"""What the engine does with an edit of a stack's file is what `make diff` says."""

from typing import Any

import pytest

from tests.cluster.project import Project
from tests.edits import BEFORE, DEMOS, DEPLOYED, EDITS, Config, Edit, updated
from tools import engine, paths
from tools.diff.compare import compare
from tools.diff.model import Item, Verdict
from tools.diff.sides import project_settings
from tools.render import render

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""

ONE_UPDATE = [updated(key) for key in DEMOS]


class Deployed:
    """One stack's file after another, each deployed once for all its edits."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.items: list[Item] = []
        self._config: Config = {}

    def start(self, config: Config) -> None:
        if config is not self._config:
            if self._config:
                self.project.destroy()
            configure(self.project, config)
            self.project.up()
            self.items, self._config = rendered(self.project), config


@pytest.fixture(scope="module")
def deployed(project: Project) -> Deployed:
    return Deployed(project)


def cases() -> list[Any]:
    """The edits by what is deployed for them."""
    edits = sorted(EDITS, key=lambda edit: BEFORE.index(edit.before))
    return [pytest.param(edit, marks=[pytest.mark.long] if is_long(edit) else []) for edit in edits]


def is_long(edit: Edit) -> bool:
    """Whether it needs a deployment of its own, or is one of many options of a Deployment."""
    return edit.before is not DEPLOYED or edit.verdicts in ONE_UPDATE


@pytest.mark.parametrize("edit", cases(), ids=str)
def test_an_edit_has_the_engines_verdict(deployed: Deployed, edit: Edit) -> None:
    deployed.start(edit.before)
    project = deployed.project
    configure(project, edit.after)
    after = rendered(project)
    if edit.published and not engine.uses_standin(engine.LOCAL):
        assert project.pulumi("preview").code != 0
        return
    previewed = {
        urn.split("::", 2)[2]: change.operation
        for urn, change in project.previewed().items()
        if "$kubernetes:" in urn
    }
    assert previewed == {
        change.item.urn: change.verdict
        for change in compare(deployed.items, after, project_settings(paths.ROOT))
        if change.verdict is not Verdict.NONE
    }
    items = {item.urn: item for item in [*deployed.items, *after]}
    named = {f"{items[urn].kind}/{items[urn].name}": previewed[urn] for urn in previewed}
    assert named == {placed(project, name): edit.verdicts[name] for name in edit.verdicts}


def configure(project: Project, config: Config) -> None:
    project.configure(**{**config, "namespace": placed(project, config["namespace"])})


def placed(project: Project, name: str) -> str:
    """A name in which the namespace is one of the project's own."""
    return name.replace("renamed", "edited-renamed").replace("edited", project.namespace)


def rendered(project: Project) -> list[Item]:
    found = render(project.stack, secrets=True, config=project.config)
    return [Item(item.object, item.urn, item.options) for item in found]
