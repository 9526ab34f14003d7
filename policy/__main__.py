"""The policy pack: `pulumi preview --policy-pack policy`.

Rules that judge an object by itself see what the program declares, before it is created; those
that need all objects see them when the program has ended. What is waived is shown as advice.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi.runtime.config import CONFIG
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

# The pack's own folder is what the interpreter knows.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.judge import Verdict, judged, unused
from policy.manifests import Manifests
from policy.model import Rule
from policy.rules import RULES
from policy.waivers import waivers
from stacks.settings import SettingsError, decoded, read_policies

try:
    _SETTINGS = read_policies(decoded(CONFIG.get()))
except SettingsError as error:
    sys.exit(f"The stack's policy settings have problems:\n{error}")
_WAIVERS = waivers(_SETTINGS)
_TODAY = datetime.now(UTC).date()


def _manifests(*objects: Mapping[str, Any]) -> Manifests:
    return Manifests(objects)


def _kubernetes(args: StackValidationArgs) -> dict[str, Mapping[str, Any]]:
    """The Kubernetes objects of a stack, by URN."""
    return {
        resource.urn: resource.props
        for resource in args.resources
        if resource.resource_type.startswith("kubernetes:")
    }


def _verdicts(rule: Rule, *objects: Mapping[str, Any]) -> list[Verdict]:
    return judged(_manifests(*objects), _WAIVERS, _TODAY, [rule])


def _policy(rule: Rule) -> Policy:
    """A rule as the engine knows it."""

    def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type.startswith("kubernetes:"):
            for verdict in _verdicts(rule, args.props):
                if not verdict.waived:
                    report(verdict.message, None)

    def whole(args: StackValidationArgs, report: ReportViolation) -> None:
        objects = _kubernetes(args)
        for verdict in _verdicts(rule, *objects.values()):
            if not verdict.waived:
                report(verdict.message, _urn(verdict, objects))

    about: dict[str, Any] = {
        "name": rule.name,
        "description": f"{rule.says} {rule.reason}",
        "enforcement_level": EnforcementLevel(rule.level.value),
        "remediation_steps": rule.fix,
        "url": rule.link,
    }
    if rule.whole:
        return StackValidationPolicy(validate=whole, **about)
    return ResourceValidationPolicy(validate=one, **about)


def _waivers(args: StackValidationArgs, report: ReportViolation) -> None:
    """Show what is waived, and waivers that nothing needs."""
    objects = _kubernetes(args)
    verdicts = judged(_manifests(*objects.values()), _WAIVERS, _TODAY)
    for verdict in verdicts:
        if verdict.waived:
            report(f"{verdict.rule.name}: {verdict.message}", _urn(verdict, objects))
    for waiver in unused(_WAIVERS, verdicts):
        report(f"{waiver.rule}: {waiver.object} needs no waiver any more", None)


def _urn(verdict: Verdict, objects: Mapping[str, Mapping[str, Any]]) -> str | None:
    item = verdict.finding.object
    return next((urn for urn, value in objects.items() if value is item), None)


PolicyPack(
    "sidecar-powers",
    [
        *map(_policy, RULES),
        StackValidationPolicy(
            "waivers",
            "What the stack file waives.",
            _waivers,
            EnforcementLevel.ADVISORY,
        ),
    ],
)
