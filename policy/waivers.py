"""Exceptions from rules, as a stack file has them: each with a reason and an end."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from policy.model import Finding, Rule
from stacks.model import PolicySettings


@dataclass(frozen=True)
class Waiver:
    """An exception from a rule."""

    rule: str
    object: str
    """Kind and name; `*` stands for any text."""
    reason: str
    expires: date
    """The last day on which it holds."""

    def holds(self, today: date) -> bool:
        return today <= self.expires

    def fits(self, rule: Rule, finding: Finding) -> bool:
        pattern = ".*".join(map(re.escape, self.object.split("*")))
        return self.rule == rule.name and bool(re.fullmatch(pattern, finding.title))


def waivers(settings: PolicySettings) -> list[Waiver]:
    """All waivers of a stack file."""
    return [
        Waiver(rule, name, waiver.reason, waiver.expires)
        for rule, objects in settings.waivers.items()
        for name, waiver in objects.items()
    ]


def chosen(found: Iterable[Waiver], rule: Rule, finding: Finding, today: date) -> Waiver | None:
    """The waiver that fits: one that holds before one that has expired, then the one that says
    most of the object."""
    fitting = [waiver for waiver in found if waiver.fits(rule, finding)]
    return max(fitting, key=lambda it: (it.holds(today), len(it.object)), default=None)
