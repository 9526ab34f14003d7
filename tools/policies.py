"""Holds a stack's rendered manifests against the policies, without CLI, plugin or cluster."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from policy.judge import Verdict, judged, unused
from policy.manifests import Manifests
from policy.model import Level, Rule
from policy.rules import RULES
from policy.waivers import Waiver, waivers
from stacks.settings import decoded, encoded, read_policies
from tools import engine, paths
from tools.render import render

Object = dict[str, Any]


@dataclass(frozen=True)
class Judgement:
    """What the policies say of a stack."""

    stack: str
    objects: int
    verdicts: Sequence[Verdict]
    unused: Sequence[Waiver]

    @property
    def violations(self) -> list[Verdict]:
        """What no waiver covers."""
        return [verdict for verdict in self.verdicts if not verdict.waived]

    @property
    def passed(self) -> bool:
        """Whether nothing stops a deployment."""
        return all(verdict.rule.level is Level.ADVISORY for verdict in self.violations)


def judge(stack: str, today: date | None = None) -> Judgement:
    """Render a stack and judge it; waivers hold as of today, UTC.

    Raises CommandError where it can't be rendered.
    """
    objects = [item.object for item in render(stack)]
    settings = read_policies(decoded(encoded(engine.stack_config(stack))))
    found = waivers(settings)
    day = today or datetime.now(UTC).date()
    verdicts = [*judged(Manifests(objects, settings.budget), found, day)]
    return Judgement(stack, len(objects), verdicts, unused(found, verdicts))


def as_text(found: Judgement) -> str:
    """For people: rule by rule what is wrong, why it matters and how to mend it."""
    lines: list[str] = []
    for rule in RULES:
        broken = [verdict.message for verdict in found.violations if verdict.rule is rule]
        if broken:
            lines += [f"{rule.name} ({rule.level}): {rule.says}", *_indented(broken)]
            lines += [f"  Why: {rule.reason}", f"  Fix: {rule.fix}", f"  See: {rule.link}", ""]
    waived = [verdict for verdict in found.verdicts if verdict.waived]
    for waiver in dict.fromkeys(verdict.waiver for verdict in waived):
        if waiver is not None:
            about = f"{waiver.rule} of {waiver.object}, until {waiver.expires}: {waiver.reason}"
            covered = [verdict.finding.told for verdict in waived if verdict.waiver == waiver]
            lines += [f"Waived: {about}", *_indented(covered), ""]
    if found.unused:
        told = [f"{waiver.rule}: {waiver.object}" for waiver in found.unused]
        lines += ["Waivers that fit nothing that was found:", *_indented(told), ""]
    counts = f"{len(found.violations) or 'no'} violations, {len(waived) or 'none'} waived"
    return "\n".join(
        [*lines, f"{found.stack}: {len(RULES)} rules, {found.objects} objects, {counts}"]
    )


def as_json(found: Judgement) -> str:
    """For machines."""
    violations = [_verdict(verdict) for verdict in found.violations]
    waived = [_verdict(verdict) for verdict in found.verdicts if verdict.waived]
    content: Object = {
        "stack": found.stack,
        "passed": found.passed,
        "objects": found.objects,
        "rules": [_rule(rule) for rule in RULES],
        "violations": violations,
        "waived": waived,
        "unusedWaivers": [
            {"rule": waiver.rule, "object": waiver.object} for waiver in found.unused
        ],
    }
    return json.dumps(content, indent=2)


PAGE = paths.ROOT / "docs" / "policies.md"
MARK = "<!-- make docs writes what follows. -->\n"
"""In that page, before what is written there of each rule."""


def page() -> str:
    """The page of the policies, as of the rules."""
    written, _, _ = PAGE.read_text().partition(MARK)
    return written + MARK + "".join(map(_section, RULES))


def _section(rule: Rule) -> str:
    scope = "all objects of the stack" if rule.whole else "each object by itself"
    level = f"{rule.level.capitalize()}; judges {scope}. [Source]({rule.link})"
    return f"\n### {rule.name}\n\n{rule.says} {rule.reason}\n\nFix: {rule.fix}\n\n{level}\n"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _rule(rule: Rule) -> Object:
    about = {"says": rule.says, "reason": rule.reason, "fix": rule.fix, "link": rule.link}
    return {"name": rule.name, "level": rule.level.value, **about}


def _verdict(verdict: Verdict) -> Object:
    finding, waiver = verdict.finding, verdict.waiver
    until = {"reason": waiver.reason, "expires": str(waiver.expires)} if waiver else None
    about = {"object": finding.title, "message": finding.message, "waiver": until}
    return {"rule": verdict.rule.name, "level": verdict.rule.level.value, **about}
