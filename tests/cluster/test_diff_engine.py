"""What the engine does with an edit of a stack's file is what `make diff` says."""

import pytest

from tests.cluster.project import Project
from tests.edits import DEPLOYED, EDITS, FULL, PODS, Config, Edit
from tools.diff.compare import compare
from tools.diff.model import Item, Verdict
from tools.render import render

pytestmark = pytest.mark.xdist_group("demos")
"""One after another: the node's CPU has room for the demos' requests a few times only."""

FILES = {"deployed": DEPLOYED, "pods": PODS, "full": FULL}


@pytest.fixture(scope="module")
def deployed(project: Project, request: pytest.FixtureRequest) -> list[Item]:
    """What of a file is deployed. Each is deployed once, and all its edits are previewed."""
    configure(project, FILES[request.param])
    project.up()
    return rendered(project)


@pytest.mark.parametrize(
    ("deployed", "edit"),
    [(name, edit) for name in FILES for edit in EDITS if edit.before is FILES[name]],
    ids=lambda value: str(value) if isinstance(value, Edit) else value,
    indirect=["deployed"],
)
def test_an_edit_has_the_engines_verdict(
    project: Project, deployed: list[Item], edit: Edit
) -> None:
    configure(project, edit.after)
    after = rendered(project)
    previewed = {
        urn.split("::", 2)[2]: change.operation
        for urn, change in project.previewed().items()
        if "$kubernetes:" in urn
    }
    assert previewed == {
        change.item.urn: change.verdict
        for change in compare(deployed, after)
        if change.verdict is not Verdict.NONE
    }
    items = {item.urn: item for item in [*deployed, *after]}
    named = {f"{items[urn].kind}/{items[urn].name}": previewed[urn] for urn in previewed}
    assert named == {placed(project, name): edit.verdicts[name] for name in edit.verdicts}


def configure(project: Project, config: Config) -> None:
    project.configure(**{**config, "namespace": placed(project, config["namespace"])})


def placed(project: Project, name: str) -> str:
    """A name in which the namespace is one of the project's own."""
    return name.replace("renamed", "edited-renamed").replace("edited", project.namespace)


def rendered(project: Project) -> list[Item]:
    found = render(project.stack, config=project.config)
    return [Item(item.object, item.urn, item.options) for item in found]
