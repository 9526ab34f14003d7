"""What the engine does with single objects of every kind is what `make diff` says.

All objects are created, then all of them are edited in one preview.
"""

from collections.abc import Collection, Iterator
from typing import Any

import pulumi
import pytest
from pulumi import ResourceOptions

from tests.cluster.faults import within
from tests.cluster.provider_stack import Stack, core_api, throw_away
from tests.object_edits import OBJECT_EDITS, ObjectEdit
from tests.objects import NAMESPACE, Object, edited
from tools import engine
from tools.status import is_list, is_map

pytestmark = pytest.mark.xdist_group("diff-objects")


def expected(edit: ObjectEdit) -> str:
    """What the plugin that is at hand does."""
    return edit.verdict if engine.uses_standin(engine.LOCAL) else edit.published or edit.verdict


@pytest.fixture(scope="module")
def found(
    local_cluster: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What becomes of each object, by the edit's name."""
    path = engine.environment(engine.LOCAL)["PATH"]
    with throw_away(tmp_path_factory.mktemp("objects"), PATH=path) as stack:
        try:
            stack.up(lambda: _program(stack.name, ()))
            within(30, lambda: _is_bound(stack.name))
            yield _verdicts(stack)
        finally:
            stack.destroy()


@pytest.mark.parametrize("edit", OBJECT_EDITS, ids=str)
def test_an_edit_has_the_engines_verdict(found: dict[str, str], edit: ObjectEdit) -> None:
    assert found[edit.name] == expected(edit)


def _verdicts(stack: Stack) -> dict[str, str]:
    """Of one preview, and of one more for each edit whose preview should fail."""
    alone = [edit for edit in OBJECT_EDITS if expected(edit) == "fail"]
    stack.preview(lambda: _program(stack.name, [e for e in OBJECT_EDITS if e not in alone]))
    found = {name: stack.operations[name].replace("same", "none") for name in stack.operations}
    for edit in alone:
        stack.failure(stack.preview, lambda edit=edit: _program(stack.name, [edit]))
        found[edit.name] = "fail"
    return found


def _program(prefix: str, changed: Collection[ObjectEdit]) -> None:
    """Register every object, these as they are after the edit."""
    there = _register("there", _placed(NAMESPACE, {"it": f"{prefix}-there"}))
    for number, edit in enumerate(OBJECT_EDITS):
        name = f"{prefix}-{number}"
        words = {"it": name, "new": f"{name}-new", "here": prefix, "there": f"{prefix}-there"}
        needed = [
            _register(f"{item['kind']} for {edit.name}", _placed(item, words), there)
            for item in edit.beside
        ]
        item = edit.after if edit in changed else edit.before
        _register(edit.name, _placed(item, words), there, *needed)


def _register(name: str, item: Object, *needed: pulumi.Resource) -> pulumi.Resource:
    group, _, version = item["apiVersion"].rpartition("/")
    token = f"kubernetes:{group or 'core'}/{version}:{item['kind']}"
    options = ResourceOptions(depends_on=needed)
    return pulumi.CustomResource(token, name, _unawaited(item), options)


def _unawaited(item: Object) -> Object:
    annotations = item["metadata"].get("annotations", {})
    return edited(item, "metadata.annotations", {**annotations, "pulumi.com/skipAwait": "true"})


def _placed(value: Any, words: dict[str, str]) -> Any:
    """An object whose names and namespaces are some of the test's own."""
    if is_map(value):
        return {key: _placed(item, words) for key, item in value.items()}
    if is_list(value):
        return [_placed(item, words) for item in value]
    return words.get(value, value) if isinstance(value, str) else value


def _is_bound(namespace: str) -> bool:
    """Whether the one claim that can be bound is so."""
    claims: list[Any] = core_api().list_namespaced_persistent_volume_claim(namespace).items
    return any(claim.status.phase == "Bound" for claim in claims)
