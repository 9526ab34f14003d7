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
from pulumi_policy.proxy import (
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    UnknownValueError,
    unknown_checking_proxy,
)
from typer.testing import CliRunner

from components.pod_labeler import PodLabeler
from policy import pack
from policy.judge import judged, unused
from policy.manifests import Manifests
from policy.pod_security import check
from policy.rules import RULES
from policy.settings import of_stack
from policy.waivers import Waiver, waivers
from stacks.model import RULES as NAMES
from stacks.settings import SettingsError, read_policies
from tests.unit.recorder import registered
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


@cache
def labeler() -> list[Object]:
    """What PodLabeler registers for the service account `it` in the namespace `here`."""
    return registered(lambda: PodLabeler("it", {"namespace": "here", "name": "it"}))


def messages(rule: str, objects: list[Object], budget: Object | None = None) -> list[str]:
    """What a rule says of objects."""
    more = labeler() if rule == "selectors-not-self-patched" else []
    manifests = Manifests([*more, *objects], budget or {})
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


UNPINNED: Object = {
    "kind": "Pod",
    "metadata": {"name": "it"},
    "spec": {"containers": [{"name": "app"}]},
}


def waiver(expires: date, rule: str = "images-pinned", name: str = "Pod/*") -> Waiver:
    return Waiver(rule, name, "A reason.", expires)


def test_a_waiver_covers_its_rule_and_its_objects_alone() -> None:
    other = {**UNPINNED, "kind": "Deployment", "spec": {"template": {"spec": UNPINNED["spec"]}}}
    verdicts = [*judged(Manifests([UNPINNED, other]), [waiver(TODAY)], TODAY)]
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


def test_only_a_star_is_a_wildcard() -> None:
    exact = [waiver(TODAY, name=name) for name in ("Pod/i?", "Pod/[i]t", "od/it", "Pod/i")]
    assert not any(item.waived for item in judged(Manifests([UNPINNED]), exact, TODAY))


def test_a_waiver_that_nothing_needs_is_named() -> None:
    both = [waiver(TODAY), waiver(TODAY, "probes"), waiver(TODAY, name="Pod/it")]
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
        (
            {"probes": {1: {"reason": " ", "expires": "2030-12-31"}}},
            "waivers.probes.1: found 1, allowed is text",
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


@pytest.mark.parametrize("value", [None, 5, "text", [], [None], {}, {"name": 5}, True])
@pytest.mark.parametrize("kind", ["Pod", "Deployment", "CronJob", "Role", "RoleBinding"])
def test_what_has_another_shape_is_no_traceback(kind: str, value: object) -> None:
    """The API server refuses it; the rules say what they can."""
    odd = dict.fromkeys(
        [*("containers", "initContainers", "volumes", "securityContext", "os", "resources")], value
    )
    container = dict.fromkeys(
        [*("image", "ports", "env", "command", "lifecycle", "securityContext", "resources")], value
    )
    pods: list[Object] = [odd, {"containers": [container, value]}]
    for spec in pods:
        template = {"metadata": value, "spec": spec}
        job = {"template": template}
        item = {
            "kind": kind,
            "metadata": {"name": "it", "annotations": value, "labels": value},
            "spec": {**spec, **job, "jobTemplate": {"spec": job}, "selector": value},
            "rules": value,
            "subjects": value,
            "roleRef": value,
        }
        for rule in RULES:
            assert all(isinstance(told, str) for told in messages(rule.name, [item]))


def test_what_is_found_before_an_unknown_value_counts() -> None:
    known, unknown = ({"name": name, "image": image} for name, image in (("a", "a"), ("b", "?")))
    unknown["image"] = UNKNOWN_STRING_VALUE
    pod = {**UNPINNED, "spec": {"containers": [known, unknown]}}
    verdicts = judged(
        Manifests([unknown_checking_proxy(pod)]), [], TODAY, [_BY_NAME["images-pinned"]]
    )
    assert "spec.containers[a].image: found 'a'" in next(verdicts).message
    with pytest.raises(UnknownValueError):
        next(verdicts)


def test_a_secret_that_nobody_knows_yet_keeps_no_budget_from_being_kept() -> None:
    secret = unknown_checking_proxy({"kind": "Secret", "stringData": UNKNOWN_OBJECT_VALUE})
    assert messages("budget", [secret, {**UNPINNED}], {"pods": "0"}) == [
        "Stack budget.pods: found 1, allowed is 0: 1 too much. Most takes it (1)"
    ]


@pytest.mark.parametrize(
    ("resource_type", "props", "judged"),
    [
        ("kubernetes:core/v1:Pod", {"kind": "Pod"}, True),
        ("kubernetes:core/v1:PodPatch", {"kind": "Pod"}, False),
        ("kubernetes:core/v1:PodList", {"kind": "PodList"}, False),
        ("kubernetes:helm.sh/v3:Release", {"chart": "nginx"}, False),
        ("aws:s3/bucket:Bucket", {"kind": "Pod"}, False),
    ],
)
def test_the_pack_judges_whole_kubernetes_objects_alone(
    resource_type: str, props: Object, judged: bool
) -> None:
    assert pack.is_object(resource_type, props) == judged


def test_the_pack_reads_the_file_of_the_stack_that_a_urn_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Pulumi.yaml").write_text("{name: shop, stackConfigDir: stacks}")
    Path("stacks").mkdir()
    Path("stacks/Pulumi.dev.yaml").write_text(
        "config: {budget: 500, 'sidecar-powers:budget': {pods: 3}}"
    )
    Path("stacks/Pulumi.empty.yaml").touch()
    urn = "urn:pulumi:{}::shop::kubernetes:core/v1:Pod::it"
    assert of_stack(urn.format("dev")).budget == {"pods": "3"}
    for stack in ("empty", "other"):
        assert of_stack(urn.format(stack)).budget == {}
