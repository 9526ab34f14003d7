"""What the policies find, each rule held to manifests that break it and that keep it."""

import json
import subprocess
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from typer.testing import CliRunner

from policy.judge import judged, unused
from policy.manifests import Manifests
from policy.pod_security import check
from policy.rules import RULES
from policy.waivers import Waiver, waivers
from stacks.model import RULES as NAMES
from stacks.settings import SettingsError, read_policies
from tools import paths, policies
from tools.__main__ import app

Object = dict[str, Any]

TODAY = date(2030, 1, 15)
_CASES = Path(__file__).with_name("policies")
_BY_NAME = {rule.name: rule for rule in RULES}


@cache
def cases(rule: str) -> Object:
    """The manifests that keep and break a rule."""
    return yaml.safe_load((_CASES / f"{rule}.yaml").read_text())


def messages(rule: str, objects: list[Object], budget: Object | None = None) -> list[str]:
    """What a rule says of objects."""
    manifests = Manifests(objects, budget or {})
    return [verdict.message for verdict in judged(manifests, [], TODAY, [_BY_NAME[rule]])]


def oracle() -> Iterator[Any]:
    """The fixtures of Kubernetes' own admission of pods, each with whether it passes."""
    go = ["go", "-C", str(paths.GO / "kubernetes"), "list", "-m", "-f", "{{.Dir}}"]
    done = subprocess.run(
        [*go, "k8s.io/pod-security-admission"], capture_output=True, text=True, check=True
    )
    root = Path(done.stdout.strip()) / "test" / "testdata" / "restricted" / "v1.35"
    for file in sorted(root.glob("*/*.yaml")):
        yield pytest.param(
            yaml.safe_load(file.read_text()),
            file.parent.name == "pass",
            id=f"{file.parent.name}-{file.stem}",
        )


def test_a_stack_file_can_name_exactly_the_rules_that_there_are() -> None:
    assert list(NAMES) == list(_BY_NAME)
    assert {file.stem for file in _CASES.glob("*.yaml")} == _BY_NAME.keys()


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_finds_nothing_where_it_is_kept(rule: str) -> None:
    kept: list[list[Object]] = cases(rule)["pass"]
    assert kept
    for objects in kept:
        assert messages(rule, objects, cases(rule).get("budget")) == []


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_says_where_it_is_broken(rule: str) -> None:
    broken: list[Object] = cases(rule)["fail"]
    assert broken
    for case in broken:
        found = messages(rule, case["objects"], case.get("budget"))
        assert any(case["says"] in message for message in found), found


@pytest.mark.parametrize(("pod", "passes"), [*oracle()])
def test_pod_security_agrees_with_kubernetes(pod: Object, passes: bool) -> None:
    assert (not list(check(Manifests([pod])))) == passes


def test_the_oracle_has_pods_of_both_sorts() -> None:
    found = [case.values[1] for case in oracle()]
    assert found.count(True) > 15
    assert found.count(False) > 50


def test_every_rule_says_what_why_how_and_where() -> None:
    for rule in RULES:
        for text in (rule.says, rule.reason, rule.fix):
            assert text.endswith("."), rule.name
        assert rule.link.startswith("https://kubernetes.io/docs/"), rule.name


UNPINNED = {"kind": "Pod", "metadata": {"name": "it"}, "spec": {"containers": [{"name": "app"}]}}


def waiver(expires: date, rule: str = "images-pinned", name: str = "Pod/*") -> Waiver:
    return Waiver(rule, name, "A reason.", expires)


def test_a_waiver_covers_its_rule_and_its_objects_alone() -> None:
    other = {**UNPINNED, "kind": "Deployment", "spec": {"template": {"spec": UNPINNED["spec"]}}}
    verdicts = judged(Manifests([UNPINNED, other]), [waiver(TODAY)], TODAY)
    waived = {(item.rule.name, item.finding.title) for item in verdicts if item.waived}
    assert waived == {("images-pinned", "Pod/it")}
    assert len({item.rule.name for item in verdicts}) > 3


def test_a_waiver_holds_through_its_last_day() -> None:
    manifests = Manifests([UNPINNED])
    rule = [_BY_NAME["images-pinned"]]
    (held,) = judged(manifests, [waiver(date(2030, 1, 15))], TODAY, rule)
    assert held.waived
    assert held.message.endswith("; waived until 2030-01-15: A reason.")
    (expired,) = judged(manifests, [waiver(date(2030, 1, 14))], TODAY, rule)
    assert not expired.waived
    assert expired.message.endswith("; its waiver expired on 2030-01-14")


def test_of_two_waivers_the_one_that_holds_is_taken() -> None:
    both = [waiver(date(2029, 1, 1)), waiver(date(2031, 1, 1), name="*/it")]
    (verdict,) = judged(Manifests([UNPINNED]), both, TODAY, [_BY_NAME["images-pinned"]])
    assert verdict.waiver == both[1]


def test_a_waiver_that_nothing_needs_is_named() -> None:
    both = [waiver(TODAY), waiver(TODAY, "probes")]
    verdicts = judged(Manifests([UNPINNED]), both, TODAY)
    assert unused(both, verdicts) == [both[1]]


def settings(value: object) -> list[Waiver]:
    return waivers(read_policies({"sidecar-powers:waivers": value, "sidecar-powers:demos": 1}))


@pytest.mark.parametrize(
    "expires", ["2030-12-31", date(2030, 12, 31), "2030-12-31 00:00:00 +0000 UTC"]
)
def test_a_waivers_end_is_a_day_as_yaml_or_the_cli_tells_it(expires: object) -> None:
    value = {"probes": {"Pod/it": {"reason": "A reason.", "expires": expires}}}
    assert settings(value) == [waiver(date(2030, 12, 31), "probes", "Pod/it")]
    assert settings(None) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"prob": {"Pod/it": {"reason": "x", "expires": "2030-12-31"}}},
            "waivers.prob: found 'prob', allowed is pod-security-restricted,",
        ),
        ({"probes": {"Pod/it": None}}, "waivers.probes.Pod/it.reason: is required"),
        (
            {"probes": {"Pod/it": {"reason": "", "expires": "2030-12-31"}}},
            "waivers.probes.Pod/it.reason: found '', allowed is text",
        ),
        (
            {"probes": {"Pod/it": {"reason": "x", "expires": "soon"}}},
            "waivers.probes.Pod/it.expires: found 'soon', allowed is a day such as 2030-12-31",
        ),
        ({"probes": ["Pod/it"]}, "waivers.probes: found ['Pod/it'], allowed is a mapping"),
    ],
)
def test_a_wrong_waiver_is_told_as_all_mistakes_are(value: object, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(cast(Any, value))
    assert message in str(error.value)


@pytest.mark.parametrize("stack", ["article", "dev", "local", "prod", "staging"])
def test_no_stack_violates_a_policy_but_for_waivers(stack: str) -> None:
    found = policies.judge(stack)
    assert found.violations == []
    assert found.unused == []
    assert bool(found.verdicts) == (stack == "article")


def test_a_day_too_late_the_waived_stack_fails() -> None:
    found = policies.judge("article", date(2027, 12, 1))
    assert not found.passed
    assert "its waiver expired on 2027-11-30" in policies.as_text(found)


def test_a_person_is_told_what_why_and_how_to_mend_it() -> None:
    rule = _BY_NAME["images-pinned"]
    text = policies.as_text(policies.judge("article", date(2027, 12, 1)))
    assert text.startswith(f"{rule.name} (mandatory): {rule.says}\n  Pod/")
    for told in (rule.reason, rule.fix, rule.link):
        assert told in text
    assert text.endswith(f"article: {len(RULES)} rules, 14 objects, 11 violations, none waived")


def test_a_machine_is_told_the_same() -> None:
    content = json.loads(policies.as_json(policies.judge("article", date(2027, 11, 30))))
    assert content["passed"]
    assert len(content["rules"]) == len(RULES)
    assert content["violations"] == content["unusedWaivers"] == []
    assert {item["rule"] for item in content["waived"]} == {"images-pinned"}
    assert content["waived"][0]["waiver"]["expires"] == "2027-11-30"


@pytest.mark.parametrize(("today", "code"), [("2027-11-30", 0), ("2027-12-01", 1)])
def test_the_exit_code_tells_of_violations(
    monkeypatch: pytest.MonkeyPatch, today: str, code: int
) -> None:
    found = policies.judge("article", date.fromisoformat(today))

    def judge(stack: str) -> policies.Judgement:
        return found

    monkeypatch.setattr(policies, "judge", judge)
    done = CliRunner().invoke(app, ["policy", "--stack", "article"])
    assert done.exit_code == code
