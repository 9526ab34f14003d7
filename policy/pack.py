"""The policy pack: `pulumi preview --policy-pack policy`.

Rules that judge an object by itself see what the program declares, before it is created; those
that need all objects see them when the program has ended. What is waived is shown as advice.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

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

from policy.judge import Verdict, judged
from policy.manifests import Manifests
from policy.model import Rule
from policy.rules import RULES
from policy.settings import of_stack
from policy.waivers import waivers

_TODAY = datetime.now(UTC).date()
Objects = Mapping[str, Mapping[str, Any]]


def _kubernetes(args: StackValidationArgs) -> Objects:
    """The Kubernetes objects of a stack, by URN."""
    return {
        resource.urn: resource.props
        for resource in args.resources
        if is_object(resource.resource_type, resource.props)
    }


def is_object(resource_type: str, props: Mapping[str, Any]) -> bool:
    """Whether a resource is one whole object: no chart, no patch of another's, no list."""
    own = resource_type.startswith("kubernetes:") and not resource_type.endswith(("List", "Patch"))
    return own and "kind" in props


def _verdicts(objects: Objects, *rules: Rule) -> Iterator[Verdict]:
    """What these rules find in objects of one stack."""
    settings = of_stack(next(iter(objects), ""))
    manifests = Manifests([*objects.values()], settings.budget)
    return judged(manifests, waivers(settings), _TODAY, rules)


def _policy(rule: Rule) -> Policy:
    """A rule as the engine knows it."""

    def one(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if is_object(args.resource_type, args.props):
            for verdict in _verdicts({args.urn: args.props}, rule):
                if not verdict.waived:
                    report(verdict.message, None)

    def whole(args: StackValidationArgs, report: ReportViolation) -> None:
        objects = _kubernetes(args)
        for verdict in _verdicts(objects, rule):
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
    """Show what is waived. What nothing needs any more only `make policy` can tell: here the
    API server has filled in what the program leaves out."""
    objects = _kubernetes(args)
    for verdict in _verdicts(objects, *RULES):
        if verdict.waived:
            report(f"{verdict.rule.name}: {verdict.message}", _urn(verdict, objects))


def _urn(verdict: Verdict, objects: Objects) -> str | None:
    item = verdict.finding.object
    return next((urn for urn, value in objects.items() if value is item), None)


def serve() -> None:
    """Answer the engine until it ends the process."""
    shown = StackValidationPolicy(
        "waivers", "What the stack file waives.", _waivers, EnforcementLevel.ADVISORY
    )
    PolicyPack("sidecar-powers", [*map(_policy, RULES), shown])
