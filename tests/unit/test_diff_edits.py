"""What diff says of edits of a stack's file, each against the verdicts that the engine has."""

import pytest

from stacks.settings import PROJECT
from tests.edits import EDITS, Config, Edit
from tools.diff.compare import compare
from tools.diff.model import Item, Verdict
from tools.render import render


def rendered(config: Config) -> list[Item]:
    found = render("edited", config={f"{PROJECT}:{key}": config[key] for key in config})
    return [Item(item.object, item.urn, item.options) for item in found]


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_has_the_engines_verdict(edit: Edit) -> None:
    changes = compare(rendered(edit.before), rendered(edit.after))
    found = {
        f"{change.item.kind}/{change.item.name}": change.verdict.value
        for change in changes
        if change.verdict is not Verdict.NONE
    }
    assert found == edit.verdicts


def test_every_option_of_a_stack_file_is_edited() -> None:
    from stacks.model import PATTERNS, Settings

    edited = {key for edit in EDITS for key in edit.after}
    assert edited | {"allowUnpinnedImages"} == {
        field.alias for field in Settings.model_fields.values()
    }
    options = {option for edit in EDITS for demo in edit.after["demos"].values() for option in demo}
    assert options == {
        field.alias for model in PATTERNS.values() for field in model.model_fields.values()
    }
