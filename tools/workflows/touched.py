"""Which stacks a pull request concerns."""

from tools.diff.model import Diff, Status
from tools.workflows import ENVIRONMENTS

_NOTHING_TO_PREVIEW = (Status.UNCHANGED, Status.REMOVED, Status.FAILED)
"""A stack without a file, or with a wrong one, can't be previewed; the diff says which it is."""


def touched(diff: Diff) -> list[str]:
    """Those of ENVIRONMENTS that a preview can show something of, in their order."""
    found = {stack.stack for stack in diff.stacks if stack.status not in _NOTHING_TO_PREVIEW}
    return [stack for stack in ENVIRONMENTS if stack in found]
