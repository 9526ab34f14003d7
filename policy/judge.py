"""Applies rules to manifests, and a stack's waivers to what they find."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from policy.manifests import Manifests
from policy.model import Finding, Rule
from policy.rules import RULES
from policy.waivers import Waiver, chosen


@dataclass(frozen=True)
class Verdict:
    """A finding, and whether it counts."""

    rule: Rule
    finding: Finding
    waiver: Waiver | None
    """The waiver that fits it."""
    waived: bool
    """Whether that waiver holds."""

    @property
    def message(self) -> str:
        """The object, what was found in it, and what the waiver says."""
        told = self.finding.told
        if self.waiver is None:
            return told
        if self.waived:
            return f"{told}; waived until {self.waiver.expires}: {self.waiver.reason}"
        return f"{told}; its waiver expired on {self.waiver.expires}"


def judged(
    manifests: Manifests, waivers: Sequence[Waiver], today: date, rules: Iterable[Rule] = RULES
) -> Iterator[Verdict]:
    """Everything that these rules find, rule by rule, each as soon as it is found."""
    for rule in rules:
        for finding in rule.check(manifests):
            waiver = chosen(waivers, rule, finding, today)
            yield Verdict(rule, finding, waiver, waiver is not None and waiver.holds(today))


def unused(waivers: Iterable[Waiver], verdicts: Iterable[Verdict]) -> list[Waiver]:
    """The waivers that nothing needs any more."""
    found = [*verdicts]
    return [
        waiver
        for waiver in waivers
        if not any(waiver.fits(verdict.rule, verdict.finding) for verdict in found)
    ]
