"""What a change does to every stack, without a cluster: the base revision beside the work tree.

Each side is rendered by its own code in a process of its own, and the objects are compared. The
verdicts are those of Pulumi's engine with the published Kubernetes provider.
"""

from collections.abc import Callable

from tools import paths
from tools.diff import git, sides
from tools.diff.model import Diff
from tools.diff.stack import compared


def diff(base: str, say: Callable[[str], None]) -> Diff:
    """All stacks of both sides, compared. Raises CommandError where there is no base."""
    revision = git.resolve(paths.ROOT, base)
    with git.checked_out(paths.ROOT, revision) as tree:
        old, new = sides.render(tree, paths.ROOT, revision.name, say)
    stacks = [compared(name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
    return Diff(revision.name, revision.commit, stacks)
