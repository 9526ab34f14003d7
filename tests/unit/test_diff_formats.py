"""How a diff is shown: as text, as Markdown that nothing breaks out of, as JSON."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.objects import CONFIG_MAP, DEPLOYMENT, POD, Object, container, edited, manifest
from tools.diff import as_json, as_markdown, as_text
from tools.diff.as_markdown import CAP, MARKER, code, fenced
from tools.diff.model import Diff, Item, Side, StackDiff, Status
from tools.diff.stack import compared

URN = "a$b::it"
SCRIPT = "trap 'exit 0' TERM\nwhile :; do\n  date\n  sleep {}\ndone\n# the end\n# of it\n# all\n"
DEPLOYED = edited(
    DEPLOYMENT, "spec.template.spec.containers.0.command", ["sh", "-c", SCRIPT.format(1)]
)
COMMAND = "spec.template.spec.containers.0.command"


def side(*objects: Object, problem: str = "", **settings: Any) -> Side:
    items = [Item(item, f"{item['kind']}::{item['metadata']['name']}") for item in objects]
    return Side(items, problem, settings)


def diff(*stacks: StackDiff) -> Diff:
    return Diff("origin/main", "0" * 40, stacks)


def one(old: Object, new: Object) -> Diff:
    return diff(compared("dev", side(old), side(new)))


def text(old: Object, new: Object) -> str:
    return as_text.show(one(old, new))


def unfenced(markdown: str) -> str:
    """What of a page isn't in fenced blocks, as GitHub reads them."""
    outside: list[str] = []
    fence = ""
    for line in markdown.splitlines():
        mark = re.match("`{3,}", line)
        if fence:
            fence = "" if mark and line == mark[0] and len(line) >= len(fence) else fence
        elif mark:
            fence = mark[0]
        else:
            outside.append(line)
    assert not fence
    return "\n".join(outside)


UNCHANGED = diff(compared("dev", side(POD), side(POD)), compared("prod", side(), side()))


def test_no_change_is_one_line() -> None:
    assert as_text.show(UNCHANGED) == "No changes."
    assert as_markdown.show(UNCHANGED) == f"{MARKER}\nNo changes."
    assert json.loads(as_json.show(UNCHANGED))["changes"] is False


def test_a_value_is_shown_old_and_new_by_path() -> None:
    assert text(DEPLOYMENT, edited(DEPLOYMENT, "spec.replicas", 3)).splitlines()[:3] == [
        "dev: 1 to update",
        "  ~ update  Deployment here/it",
        "      spec.replicas: 1 → 3",
    ]


def test_a_replacement_says_why_and_that_the_old_one_goes_first() -> None:
    shown = text(CONFIG_MAP, edited(CONFIG_MAP, "data.key", "new"))
    assert "! replace ConfigMap here/it, deleted first" in shown
    assert 'data.key (replaces): "old" → "new"' in shown


def test_a_script_is_shown_as_a_line_diff() -> None:
    new = edited(DEPLOYED, f"{COMMAND}.2", SCRIPT.format(20))
    shown = text(DEPLOYED, new)
    assert "spec.template.spec.containers[app].command[2]:\n" in shown
    assert "        -  sleep 1\n        +  sleep 20\n" in shown
    assert "trap" not in shown


def test_a_script_that_differs_in_its_last_line_feed_is_not_shown_as_equal() -> None:
    new = edited(DEPLOYED, f"{COMMAND}.2", SCRIPT.format(1).rstrip())
    assert "only white space or control characters differ" in text(DEPLOYED, new)


def test_the_same_lines_are_shown_once() -> None:
    both = edited(DEPLOYED, "spec.template.spec.containers.1.command", ["sh", SCRIPT.format(1)])
    new = edited(both, f"{COMMAND}.2", SCRIPT.format(2))
    new = edited(new, "spec.template.spec.containers.1.command.1", SCRIPT.format(2))
    shown = text(both, new)
    assert shown.count("+  sleep 2") == 1
    assert "containers[other].command[1]: the same lines as in dev, Deployment here/it" in shown


def test_what_is_added_is_shown_as_yaml() -> None:
    first = container("first", command=["sh", "-c", "echo first"])
    new = edited(DEPLOYMENT, "spec.template.spec.initContainers", [first])
    shown = text(DEPLOYMENT, new)
    assert "spec.template.spec.initContainers:\n        +- command:\n        +  - sh\n" in shown


def test_totals_and_qos_are_shown_where_they_change() -> None:
    resources = {
        "requests": {"cpu": "100m", "memory": "1Mi"},
        "limits": {"cpu": "100m", "memory": "1Mi"},
    }
    spec = {"containers": [container("app", resources=resources)]}
    new = edited(edited(POD, "spec", spec), "metadata.name", "it")
    old = edited(new, "spec.containers.0.resources.requests.cpu", "50m")
    shown = text(old, new)
    assert re.search(r"  requests.cpu +50m → 100m\n", shown)
    assert re.search(r"  QoS of it +Burstable → Guaranteed$", shown)
    assert "memory" not in shown.partition("totals")[2]


def test_replicas_count_in_the_totals() -> None:
    shown = text(DEPLOYMENT, edited(DEPLOYMENT, "spec.replicas", 3))
    assert re.search(r"  pods +1 → 3$", shown)


def test_objects_that_are_no_workloads_after_all_still_compare() -> None:
    odd = manifest("Deployment", "apps/v1", spec={"template": {"spec": {"containers": [1, "x"]}}})
    assert "replicas: none → 2" in text(odd, edited(odd, "spec.replicas", 2))


def test_a_change_of_the_providers_settings_is_told_without_a_kubeconfig() -> None:
    old, new = side(POD, context="one", kubeconfig="secret"), side(POD, context="two")
    shown = as_text.show(diff(compared("dev", old, new)))
    assert "kubernetes:context changes from one to two: on another cluster" in shown
    assert "kubernetes:kubeconfig changes: on another cluster" in shown
    assert "secret" not in shown


def test_what_the_policies_are_told_otherwise_is_told_to_the_reviewer() -> None:
    waiver = {"probes": {"Pod/*": {"reason": "A reason.", "expires": "2030-12-31"}}}
    old = replace(side(POD), policies={"budget": {"pods": "3"}})
    new = replace(side(POD), policies={"allowUnpinnedImages": True, "waivers": waiver})
    found = compared("dev", old, new)
    assert found.status is Status.CHANGED
    shown = as_text.show(diff(found))
    assert 'Policies: budget changes from {"pods": "3"} to nothing.' in shown
    assert "Policies: allowUnpinnedImages changes from nothing to true." in shown
    assert "Policies: waivers changes from nothing to" in shown
    assert "Pod/*" in as_markdown.show(diff(found))
    assert compared("dev", old, old).status is Status.UNCHANGED


def test_a_rename_that_only_urns_would_tell_is_pointed_out() -> None:
    new = edited(POD, "metadata.name", "new")
    shown = as_text.show(diff(compared("dev", Side([Item(POD)]), Side([Item(new, URN)]))))
    assert "one that is renamed is shown as deleted and created" in shown
    shown = as_text.show(diff(compared("dev", Side([Item(POD, URN)]), Side([Item(new, URN)]))))
    assert "! replace Pod here/new\n" in shown
    assert "renamed" not in shown


def test_stacks_that_stay_are_named_in_a_line() -> None:
    changed = compared("dev", side(POD), side())
    shown = as_text.show(diff(changed, *UNCHANGED.stacks[1:]))
    assert shown.endswith("\n\nUnchanged: prod.")


def test_a_terminal_gets_no_control_characters() -> None:
    evil = edited(CONFIG_MAP, "data", {"a\x1b[31m": "b\x1b]0;c\x07\u202e\nd"})
    for show in (as_text.show, as_markdown.show):
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", show(one(CONFIG_MAP, evil)))


def test_markdown_has_a_marker_a_heading_a_table_and_a_block() -> None:
    shown = as_markdown.show(one(DEPLOYMENT, edited(DEPLOYMENT, "spec.replicas", 3)))
    assert shown.startswith("<!-- sidecar-powers:diff -->\n")
    assert "\n### `dev`: 1 to update\n" in shown
    assert "\n| verdict | object | fields |\n| --- | --- | --- |\n" in shown
    assert "| update | `Deployment here/it` | `spec.replicas` |\n" in shown
    assert "```diff\n@@ spec.replicas @@\n-1\n+3\n```" in shown
    assert "| `pods` | `1 → 3` |" in shown


def test_markdown_marks_replacements_in_the_table() -> None:
    shown = as_markdown.show(one(CONFIG_MAP, edited(CONFIG_MAP, "data.key", "new")))
    assert "| ⚠️ **replace**, deleted first | `ConfigMap here/it` | `data.key` |" in shown


def test_markdown_folds_what_is_long() -> None:
    shown = as_markdown.show(diff(compared("dev", side(), side(DEPLOYED))))
    summary = r"<details><summary><code>Deployment here/it</code>, \d+ lines</summary>\n\n```diff\n"
    assert re.search(summary, shown)
    assert shown.count("<details>") == shown.count("</details>") == 1


@pytest.mark.parametrize(
    "evil",
    [
        "```\n</details>\n# Heading\n@everyone ![x](https://example.org)",
        "````\n~~~\n```diff\n<script>alert(1)</script>",
        "`|` <img src=x> **bold** [a](b)",
        "\n| a | b |\n--- | ---",
        "<!-- sidecar-powers:diff -->",
    ],
)
def test_nothing_in_a_manifest_breaks_out_of_its_block(evil: str) -> None:
    old = edited(CONFIG_MAP, "metadata.name", evil)
    new = edited(edited(old, "data", {evil: evil}), "metadata.labels.note", evil)
    broken = compared(evil, Side(problem=evil), side(new))
    failed = compared(evil, side(), Side(problem=evil))
    created = compared("new", None, side(new))
    items = [Item(old, URN)], [Item(new, URN)]
    stacks = [compared(evil, Side(items[0]), Side(items[1])), broken, failed, created]
    found = as_markdown.show(replace(diff(*stacks), base=evil))
    outside = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", unfenced(found))
    # Neither Markdown nor mentions count in there, once it is escaped.
    outside = re.sub("<code>[^<>]*</code>", "", outside)
    for piece in ("# Heading", "@everyone", "![", "<script", "<img", "**bold", "[a]", "| a |"):
        assert piece not in outside
    assert found.count(MARKER) - found.count(f"`{MARKER}") >= 1
    assert outside.count("<details>") == outside.count("</details>")
    # Every row still has the table's three cells, or two.
    rows = [line for line in unfenced(found).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4}


@pytest.mark.parametrize("content", ["a", "`", "``a`", "a``b`c", " ", ""])
def test_a_code_span_holds_what_it_is_given(content: str) -> None:
    span = code(content)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span.removeprefix(fence[0]).removesuffix(fence[0])
    assert fence[0] not in re.findall("`+", inner)
    assert inner.strip() == content.strip()


def test_a_block_has_a_longer_fence_than_all_it_holds() -> None:
    assert fenced(["a", "`````", "b"]) == "``````\na\n`````\nb\n``````\n"


def test_markdown_keeps_below_its_cap_and_says_what_it_left_out() -> None:
    lines = [f"line {number}" for number in range(3000)]
    objects = [edited(CONFIG_MAP, "metadata.name", f"map-{number}") for number in range(400)]
    before = side(*objects)
    after = side(*(edited(item, "data.key", "\n".join(lines[:300])) for item in objects[:200]))
    found = diff(*(compared(name, before, after) for name in ("dev", "prod")))
    shown = as_markdown.show(found)
    assert len(shown) <= CAP
    assert re.search(
        r"\n\*\*Left out for want of room:\*\* .*\d+ objects' changes, of `dev, prod`", shown
    )
    assert "### `prod`: 200 to replace, 200 to delete" in shown
    unfenced(shown)
    assert shown.count("<details>") == shown.count("</details>")
    assert len(as_text.show(found)) > CAP


def test_what_is_left_out_leaves_the_rest_as_it_is() -> None:
    found = diff(compared("dev", side(), side(DEPLOYED, POD, CONFIG_MAP)))
    whole = as_markdown.show(found)
    assert "Left out" not in whole
    assert as_markdown.show(found, cap=len(whole)) == whole
    assert "Left out" in as_markdown.show(found, cap=len(whole) - 1)


def test_the_order_of_registration_makes_no_difference() -> None:
    items = [DEPLOYED, POD, CONFIG_MAP]
    orders = [items, items[::-1]]
    assert (
        len({as_markdown.show(diff(compared("a", side(), side(*order)))) for order in orders}) == 1
    )


def test_json_has_all_of_it() -> None:
    new = edited(DEPLOYMENT, "spec.selector.matchLabels.app", "x")
    found = json.loads(as_json.show(one(DEPLOYMENT, new)))
    assert (found["base"], found["changes"]) == ("origin/main", True)
    stack = found["stacks"][0]
    assert (stack["stack"], stack["status"]) == ("dev", "changed")
    assert stack["counts"] == {"replace": 1, "delete": 0, "create": 0, "update": 0, "none": 0}
    change = stack["changes"][0]
    assert (change["verdict"], change["kind"], change["name"]) == ("replace", "Deployment", "it")
    assert change["fields"] == [
        {
            "path": "spec.selector.matchLabels.app",
            "old": "it",
            "new": "x",
            "replaces": True,
            "ignored": False,
            "reordered": False,
        }
    ]
    assert stack["totals"]["after"]["pods"] == "1"
