"""What is compared, and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Object = dict[str, Any]

Path = tuple[str, ...]
"""Where a field is: keys of mappings, and elements of lists in brackets."""


@dataclass(frozen=True)
class Item:
    """An object as its program registers it."""

    object: Object
    urn: str = ""
    """The last parts of its URN; empty where the renderer doesn't tell it."""
    options: Object = field(default_factory=dict[str, Any])
    """Its resource options; they are known if the URN is."""

    @property
    def kind(self) -> str:
        return str(self.object.get("kind", ""))

    @property
    def group(self) -> str:
        """Its API group; the core group's name is empty."""
        version = str(self.object.get("apiVersion", ""))
        return version.rpartition("/")[0]

    @property
    def name(self) -> str:
        return str(self._metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self._metadata.get("namespace", ""))

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it this object and no other for Kubernetes."""
        return self.group, self.kind, self.namespace, self.name

    @property
    def _metadata(self) -> Object:
        return self.object.get("metadata") or {}


@dataclass(frozen=True)
class Side:
    """A stack at one of the two revisions."""

    objects: Sequence[Item] = ()
    problem: str = ""
    """Why it can't be rendered."""
    settings: Object = field(default_factory=dict[str, Any])
    """The provider's settings, of the project and of the stack, by key without `kubernetes:`."""
    policies: Object = field(default_factory=dict[str, Any])
    """What the stack's file says to the policies, by key."""


class Verdict(StrEnum):
    """What the engine would do with an object, what is most serious first."""

    REPLACE = "replace"
    DELETE = "delete"
    CREATE = "create"
    UPDATE = "update"
    NONE = "none"


@dataclass(frozen=True)
class Field:
    """A place where two versions differ; None stands for nothing."""

    path: Path
    old: Any
    new: Any
    replaces: bool = False
    """Whether it can't be changed in place."""
    ignored: bool = False
    """Whether Pulumi keeps what is deployed."""
    reordered: bool = False
    """Whether only the order of a list differs; old and new are its elements' names."""


@dataclass(frozen=True)
class Change:
    """An object that isn't the same on both sides."""

    verdict: Verdict
    old: Item | None
    new: Item | None
    fields: Sequence[Field] = ()
    options: Sequence[Field] = ()
    """Resource options that differ: they concern Pulumi alone."""
    deleted_first: bool = False
    """Whether a replaced object is gone before its successor comes."""
    notes: Sequence[str] = ()

    @property
    def item(self) -> Item:
        """The object as it will be, or as it was."""
        item = self.new or self.old
        assert item is not None
        return item


class Status(StrEnum):
    """What can be said of a stack."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    INCOMPARABLE = "incomparable"
    FAILED = "failed"


@dataclass(frozen=True)
class StackDiff:
    """A stack, compared."""

    stack: str
    status: Status
    problem: str = ""
    changes: Sequence[Change] = ()
    unchanged: int = 0
    objects: Sequence[Item] = ()
    """What there will be, where there is nothing to compare it with."""
    before: Mapping[str, str] = field(default_factory=dict[str, str])
    """Totals by key of a quota, and the QoS class by workload."""
    after: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: Sequence[str] = ()

    @property
    def totals(self) -> dict[str, tuple[str, str]]:
        """The totals that differ, before and after."""
        if self.status in (Status.INCOMPARABLE, Status.FAILED):
            return {}
        return {
            key: (self.before.get(key, ""), self.after.get(key, ""))
            for key in dict.fromkeys([*self.before, *self.after])
            if self.before.get(key) != self.after.get(key)
        }

    def count(self, verdict: Verdict) -> int:
        """How many objects have this verdict."""
        found = sum(change.verdict is verdict for change in self.changes)
        return found + (self.unchanged if verdict is Verdict.NONE else 0)


@dataclass(frozen=True)
class Diff:
    """All stacks, compared."""

    base: str
    commit: str
    stacks: Sequence[StackDiff]

    @property
    def failed(self) -> bool:
        """Whether the work tree has a stack that can't be rendered."""
        return any(stack.status is Status.FAILED for stack in self.stacks)

    @property
    def empty(self) -> bool:
        """Whether nothing at all changes."""
        return all(stack.status is Status.UNCHANGED for stack in self.stacks)
