"""Two lists of objects, compared: verdicts, and where the objects differ."""

from typing import Any

import pytest

from tests.object_edits import OBJECT_EDITS, ObjectEdit
from tests.objects import CONFIG_MAP, DEPLOYMENT, POD, SECRET, Object, container, edited
from tools.diff.compare import compare
from tools.diff.fields import differences, written
from tools.diff.model import Change, Item, Verdict

URN = "a:b:C$kubernetes:core/v1:Pod::it"


def verdicts(old: list[Item], new: list[Item], **settings: Any) -> list[Verdict]:
    return [change.verdict for change in compare(old, new, settings)]


def change(old: Object, new: Object, **options: Any) -> Change:
    """What differs of an object that both sides have."""
    found = compare([Item(old, URN)], [Item(new, URN, options)])
    assert len(found) == 1
    return found[0]


def paths(old: Any, new: Any, at: str = "") -> dict[str, tuple[Any, Any]]:
    found = differences(old, new, (at,) if at else ())
    return {written(field.path): (field.old, field.new) for field in found}


@pytest.mark.parametrize("edit", OBJECT_EDITS, ids=str)
def test_an_edit_has_the_engines_verdict(edit: ObjectEdit) -> None:
    found = compare([Item(edit.before, URN)], [Item(edit.after, URN)])
    assert [change.verdict.value for change in found] == [edit.verdict] * (edit.verdict != "none")
    assert compare([Item(edit.before, URN)], [Item(edit.before, URN)]) == []


def test_a_field_is_told_once_with_both_values() -> None:
    found = change(DEPLOYMENT, edited(DEPLOYMENT, "spec.replicas", 3))
    assert [(written(field.path), field.old, field.new) for field in found.fields] == [
        ("spec.replicas", 1, 3)
    ]


def test_only_one_side_has_it() -> None:
    assert verdicts([], [Item(POD, URN)]) == [Verdict.CREATE]
    assert verdicts([Item(POD, URN)], []) == [Verdict.DELETE]


def test_without_urns_an_object_is_known_by_group_kind_namespace_and_name() -> None:
    other = edited(POD, "metadata.namespace", "there")
    assert verdicts([Item(POD)], [Item(other)]) == [Verdict.DELETE, Verdict.CREATE]
    assert verdicts([Item(POD)], [Item(POD, URN)]) == []


def test_with_urns_a_new_name_replaces() -> None:
    found = change(POD, edited(POD, "metadata.name", "new"))
    assert found.verdict is Verdict.REPLACE
    assert not found.deleted_first


def test_an_object_that_keeps_its_name_is_deleted_first() -> None:
    assert change(CONFIG_MAP, edited(CONFIG_MAP, "data.key", "new")).deleted_first


def test_a_new_urn_of_an_object_that_exists_is_warned_of() -> None:
    found = compare([Item(POD, URN)], [Item(POD, f"{URN}-new")])
    assert [item.verdict for item in found] == [Verdict.DELETE, Verdict.CREATE]
    assert "It exists already, and Pulumi knows it as a:b:C$" in found[1].notes[0]


@pytest.mark.parametrize("after", [[], [Item(edited(POD, "spec.nodeName", "one"), URN)]])
def test_what_is_protected_is_not_deleted_in_silence(after: list[Item]) -> None:
    found = compare([Item(POD, URN, {"protect": True})], after)
    assert found[0].notes == ["It is protected: Pulumi refuses to delete it."]


def test_what_the_program_ignores_is_told_but_changes_nothing() -> None:
    after = edited(POD, "metadata.labels.app", "new")
    found = change(POD, after, ignoreChanges=["metadata.labels.app"])
    assert (found.verdict, found.fields[0].ignored) == (Verdict.NONE, True)


def test_beside_what_is_ignored_all_else_counts() -> None:
    after = edited(edited(POD, "metadata.labels.app", "new"), "spec.nodeName", "one")
    found = change(POD, after, ignoreChanges=["metadata.labels.app"])
    assert found.verdict is Verdict.REPLACE
    assert [field.replaces for field in found.fields] == [False, True]


@pytest.mark.parametrize(
    "path", ["spec", "spec.replicas", 'spec["replicas"]', "spec.template.spec.containers[*].image"]
)
def test_the_program_can_ask_for_replacement(path: str) -> None:
    image = "spec.template.spec.containers.0.image"
    after = edited(edited(DEPLOYMENT, "spec.replicas", 2), image, "busybox:1")
    assert change(DEPLOYMENT, after).verdict is Verdict.UPDATE
    assert change(DEPLOYMENT, after, replaceOnChanges=[path]).verdict is Verdict.REPLACE


@pytest.mark.parametrize(
    ("item", "setting"),
    [(CONFIG_MAP, "enableConfigMapMutable"), (SECRET, "enableSecretMutable")],
)
def test_data_is_updated_where_the_provider_is_told_to(item: Object, setting: str) -> None:
    part = "data" if "data" in item else "stringData"
    after = edited(item, f"{part}.key", "new")
    assert verdicts([Item(item)], [Item(after)], **{setting: "true"}) == [Verdict.UPDATE]
    frozen = edited(after, "immutable", True)
    assert verdicts([Item(item)], [Item(frozen)], **{setting: True}) == [Verdict.REPLACE]


def test_options_are_told_and_change_no_object() -> None:
    found = compare([Item(POD, URN, {"protect": True})], [Item(POD, URN)])
    assert [(item.verdict, written(item.options[0].path)) for item in found] == [
        (Verdict.NONE, "protect")
    ]


def test_options_that_the_base_does_not_tell_are_no_change() -> None:
    assert compare([Item(POD)], [Item(POD, URN, {"protect": True})]) == []


def test_replacements_come_first() -> None:
    pod = edited(POD, "spec.nodeName", "one")
    role = edited(DEPLOYMENT, "spec.replicas", 2)
    assert verdicts([Item(DEPLOYMENT), Item(POD)], [Item(role), Item(pod)]) == [
        Verdict.REPLACE,
        Verdict.UPDATE,
    ]


def test_containers_are_matched_by_name() -> None:
    old = [container("a"), container("b")]
    new = [container("new"), container("a"), container("b", image="other")]
    assert paths(old, new, "containers") == {
        "containers[new]": (None, container("new")),
        "containers[b].image": ("busybox:1.37.0", "other"),
    }


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("volumes", "name", "a"),
        ("env", "name", "A"),
        ("volumeMounts", "mountPath", "/a"),
        ("ports", "containerPort", 80),
        ("ports", "port", 80),
        ("topologySpreadConstraints", "topologyKey", "zone"),
        ("items", "path", "file"),
    ],
)
def test_a_lists_elements_are_matched_by_what_they_are_called(
    name: str, key: str, value: Any
) -> None:
    before: list[Object] = [{key: value, "x": 1}, {key: "stays"}]
    after: list[Object] = [{key: "more"}, {key: value, "x": 2}, {key: "stays"}]
    assert paths(before, after, name) == {
        f"{name}[{value}].x": (1, 2),
        f"{name}[more]": (None, {key: "more"}),
    }


def test_another_order_is_a_change() -> None:
    found = differences([container("a"), container("b")], [container("b"), container("a")])
    assert [(field.old, field.new, field.reordered) for field in found] == [
        (["a", "b"], ["b", "a"], True)
    ]


def test_elements_without_a_name_are_matched_by_what_they_are() -> None:
    assert paths(["a", "b", "c"], ["b", "c", "d"], "args") == {
        "args[0]": ("a", None),
        "args[2]": (None, "d"),
    }
    assert paths(["sh", "old", "10"], ["sh", "new", "10"], "args") == {"args[1]": ("old", "new")}


def test_true_is_not_one_and_text_is_not_a_number() -> None:
    assert paths({"a": 1, "b": "1"}, {"a": True, "b": 1}) == {"a": (1, True), "b": ("1", 1)}


def test_keys_with_dots_are_quoted_in_paths() -> None:
    assert paths({"a.b/c": 1}, {"a.b/c": 2}, "labels") == {'labels["a.b/c"]': (1, 2)}


def test_two_secrets_differ_and_neither_is_shown() -> None:
    old, new = f"[secret {'a' * 16}]", f"[secret {'b' * 16}]"
    assert paths({"key": old, "same": old}, {"key": new, "same": old}) == {
        "key": ("[secret]", "[secret]")
    }
