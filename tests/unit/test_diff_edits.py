"""What diff says of edits of a stack's file, each against the verdicts that the engine has."""

import ast

import pytest

from stacks.model import PATTERNS, Settings
from tests import verdicts
from tests.edits import EDITS, Edit
from tests.object_edits import OBJECT_EDITS
from tools.paths import ROOT


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_has_the_engines_verdict(edit: Edit) -> None:
    assert verdicts.edited(edit) == edit.verdicts


def test_every_option_of_a_stack_file_is_edited() -> None:
    edited = {key for edit in EDITS for key in edit.after}
    assert edited | {"allowUnpinnedImages"} == {
        field.alias for field in Settings.model_fields.values()
    }
    options = {option for edit in EDITS for demo in edit.after["demos"].values() for option in demo}
    assert options == {
        field.alias for model in PATTERNS.values() for field in model.model_fields.values()
    }


def test_every_kind_that_a_component_registers_is_edited() -> None:
    imports = [
        node
        for file in (ROOT / "components").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pulumi_kubernetes")
    ]
    kinds = {name.name for node in imports for name in node.names}
    assert len(kinds) > 10
    assert kinds <= {edit.item["kind"] for edit in OBJECT_EDITS}


def test_the_page_of_verdicts_is_of_these_edits() -> None:
    assert (ROOT / "docs" / "verdicts.md").read_text() == verdicts.page()
