"""What a report tells of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.usage import Usage


@dataclass(frozen=True)
class Mount:
    """A volume in a container."""

    volume: str
    path: str
    read_only: bool


@dataclass(frozen=True)
class Container:
    """A container of a pod."""

    name: str
    role: str
    """`init container`, `native sidecar` or `container`, as classic sidecars are too."""
    step: int
    """When it starts: those of one step start together, once those before have."""
    image: str
    command: Sequence[str]
    usage: Usage
    """Its requests and limits by key of a quota, those that it has."""
    mounts: Sequence[Mount]
    has_token: bool
    """Whether it can read a token for the API server."""


@dataclass(frozen=True)
class Volume:
    """A volume of a pod."""

    name: str
    kind: str
    """As manifests call it: `emptyDir`, `downwardAPI`, `projected`."""
    detail: str
    """Its size, or where it has its content from."""
    has_token: bool
    """Whether a token for the API server is in it."""


@dataclass(frozen=True)
class Signal:
    """A container that signals another one's process."""

    name: str
    """`HUP`, or empty if its script doesn't tell."""
    sender: str
    target: str


@dataclass(frozen=True)
class Workload:
    """Pods that are alike."""

    kind: str
    name: str
    replicas: int
    qos_class: str
    usage: Usage
    """What each of its pods counts."""
    shares_processes: bool
    """Whether its containers see each other's processes."""
    service_account: str
    containers: Sequence[Container]
    """In the order of starting."""
    volumes: Sequence[Volume]
    signals: Sequence[Signal]


@dataclass(frozen=True)
class Report:
    """A stack."""

    stack: str
    namespace: str
    workloads: Sequence[Workload]
    totals: Usage
    """What all pods take together."""
    quota: Mapping[str, str]
    """What the namespace lets them take, by the keys that it limits."""
    budget: Mapping[str, str]
    """What they are to take at rest, by the keys that it limits."""
    exceeded: Sequence[str]
    """Where they take more than that, a line a key."""
