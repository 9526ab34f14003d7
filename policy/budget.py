"""The rule about the stack's budget."""

from collections.abc import Iterable

from policy.manifests import Manifests
from policy.model import Finding
from stacks.budget import exceeded


def kept(manifests: Manifests) -> Iterable[Finding]:
    """What all pods take together is within what the stack file allows."""
    for message in exceeded(manifests.budget, map(dict, manifests.objects)):
        yield Finding(None, message)
