"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from policy.manifests import Manifests, Object, title


class Level(StrEnum):
    """What a violation does.

    https://www.pulumi.com/docs/insights/policy/get-started/#policy-enforcement-levels
    """

    MANDATORY = "mandatory"
    """It stops the deployment."""

    ADVISORY = "advisory"
    """It is shown."""


@dataclass(frozen=True)
class Finding:
    """A place where a rule is broken."""

    object: Object | None
    """None: the stack as a whole."""

    message: str
    """The path, what was found, what is allowed."""

    @property
    def title(self) -> str:
        """Kind and name, which a waiver is matched with."""
        return "Stack" if self.object is None else title(self.object)

    @property
    def told(self) -> str:
        """What was found, and in which object."""
        return f"{self.title} {self.message}"


@dataclass(frozen=True)
class Rule:
    """What must hold, and everything a person who breaks it wants to know."""

    name: str
    level: Level
    says: str
    """What holds, in a sentence."""
    reason: str
    fix: str
    link: str
    check: Callable[[Manifests], Iterable[Finding]]
    whole: bool = False
    """Whether it needs all objects of the stack; others judge each by itself."""
