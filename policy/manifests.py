"""Finds pods, containers and volumes in manifests, each with the path where it stands.

Everything here and in the rules reads mappings and sequences of any class: the engine hands over
its own, which raise an error when somebody looks at a value that a preview can't know yet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    **dict.fromkeys(
        ("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"), ("spec", "template")
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind has its pod."""


@dataclass(frozen=True)
class Part:
    """A container or a volume, and where it is."""

    path: str
    value: Object

    @property
    def name(self) -> str:
        return str(self.value.get("name", ""))


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of one."""

    object: Object
    """What has it."""
    path: str
    """Where it has it: `spec.template.`; empty for a Pod."""
    metadata: Object
    spec: Object

    def containers(self, *, init: bool = True) -> Iterator[Part]:
        """Its containers; without `init` only those that run beside each other."""
        for container in self._list("initContainers"):
            if init or container.value.get("restartPolicy") == "Always":
                yield container
        yield from self._list("containers")

    @property
    def all_containers(self) -> Iterator[Part]:
        """Its containers, those for debugging included."""
        yield from self.containers()
        yield from self._list("ephemeralContainers")

    @property
    def volumes(self) -> Iterator[Part]:
        yield from self._list("volumes")

    def _list(self, key: str) -> Iterator[Part]:
        for index, value in enumerate(listed(self.spec, key)):
            yield Part(f"{self.path}spec.{key}[{value.get('name', index)}]", value)


@dataclass(frozen=True)
class Manifests:
    """Objects to judge."""

    objects: Sequence[Object]
    budget: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the stack allows its pods to take in total."""

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        return (item for item in self.objects if item.get("kind") in kinds)

    @property
    def pods(self) -> Iterator[Pod]:
        """All pods and templates of pods."""
        for item in self.objects:
            keys = _TEMPLATES.get(str(item.get("kind")))
            if keys is None:
                continue
            template = inner(item, *keys)
            path = "".join(f"{key}." for key in keys)
            yield Pod(item, path, inner(template, "metadata"), inner(template, "spec"))


def inner(item: Object, *path: str) -> Object:
    """What is in an object at a path, empty if nothing is."""
    for key in path:
        item = item.get(key) or {}
    return item


def listed(item: Object, *path: str) -> Sequence[Any]:
    """The list in an object at a path, empty if there is none."""
    return inner(item, *path[:-1]).get(path[-1]) or ()


def title(item: Object) -> str:
    """Kind and name of an object."""
    return f"{item.get('kind')}/{metadata(item).get('name')}"


def metadata(item: Object) -> Object:
    """An object's metadata, empty if it has none."""
    return inner(item, "metadata")


def namespace(item: Object) -> str:
    """An object's namespace, empty if it names none."""
    return str(metadata(item).get("namespace") or "")


def found(path: str, value: object, allowed: str) -> str:
    """What is wrong at a path, in the words of all of the project's messages."""
    told = "nothing" if value is None else repr(value)
    return f"{path}: found {told}, allowed is {allowed}"
