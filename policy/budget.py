"""The rule about the stack's budget."""

from collections.abc import Iterable
from typing import Any, cast

from policy.manifests import Manifests
from policy.model import Finding
from stacks.budget import exceeded


def kept(manifests: Manifests) -> Iterable[Finding]:
    """What all pods take together is within what the stack file allows.

    Of DaemonSets and Jobs only the cluster knows how many pods they have: they don't count.
    """
    # What has no pods may have values that nobody knows yet, and need not be looked at.
    with_pods = [cast(dict[str, Any], pod.object) for pod in manifests.pods]
    for message in exceeded(manifests.budget, with_pods):
        yield Finding(None, message)
