"""Finds pods, containers and volumes in manifests, each with the path where it stands.

Everything here and in the rules reads mappings and sequences of any class: the engine hands over
its own, which raise an error when somebody looks at a value that a preview can't know yet. What
has another shape than Kubernetes' schema says counts as not there: the API server refuses it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from components.quantity import parse_quantity

Object = Mapping[str, Any]

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    **dict.fromkeys(
        (
            "DaemonSet",
            "Deployment",
            "Job",
            "ReplicaSet",
            "ReplicationController",
            "StatefulSet",
        ),
        ("spec", "template"),
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

    @property
    def service_account(self) -> str:
        """The name of its service account."""
        spec = self.spec
        return str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")

    def _list(self, key: str) -> Iterator[Part]:
        for index, value in enumerate(items(self.spec, key)):
            yield Part(f"{self.path}spec.{key}[{value.get('name', index)}]", value)


@dataclass(frozen=True)
class Manifests:
    """Objects to judge."""

    objects: Sequence[Object]
    budget: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the stack allows its pods to take in total."""

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds of Kubernetes' own."""
        return (item for item in self.objects if item.get("kind") in kinds and is_built_in(item))

    @property
    def pods(self) -> Iterator[Pod]:
        """All pods and templates of pods."""
        for item in self.of(*_TEMPLATES):
            keys = _TEMPLATES[str(item.get("kind"))]
            template = inner(item, *keys)
            path = "".join(f"{key}." for key in keys)
            yield Pod(item, path, inner(template, "metadata"), inner(template, "spec"))


def is_built_in(item: Object) -> bool:
    """Whether its API group is one of Kubernetes' own; one that isn't told counts as such."""
    group, slash, _ = str(item.get("apiVersion", "")).rpartition("/")
    return not slash or "." not in group or group.endswith(".k8s.io")


def inner(item: Object, *path: str) -> Object:
    """The mapping in an object at a path, empty if there is none."""
    for key in path:
        value = item.get(key)
        item = cast(Object, value) if isinstance(value, Mapping) else {}
    return item


def listed(item: Object, *path: str) -> Sequence[Any]:
    """The list in an object at a path, empty if there is none."""
    value = inner(item, *path[:-1]).get(path[-1])
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return cast(Sequence[Any], value) if is_list else ()


def items(item: Object, *path: str) -> Sequence[Object]:
    """The mappings in a list of an object at a path."""
    return [cast(Object, value) for value in listed(item, *path) if isinstance(value, Mapping)]


def texts(item: Object, *path: str) -> Sequence[str]:
    """The texts in a list of an object at a path; numbers as texts."""
    return [str(value) for value in listed(item, *path)]


def amount(value: object) -> Decimal | None:
    """A quantity's value, or None if it is none."""
    try:
        return parse_quantity(plain(value))
    except ValueError:
        return None


def plain(value: object) -> str:
    """A value as a manifest has it: on the wire all numbers are floating."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def title(item: Object) -> str:
    """Kind and name of an object."""
    names = metadata(item)
    return f"{item.get('kind')}/{names.get('name') or names.get('generateName')}"


def metadata(item: Object) -> Object:
    """An object's metadata, empty if it has none."""
    return inner(item, "metadata")


def namespace(item: Object) -> str:
    """An object's namespace, empty if it names none."""
    return str(metadata(item).get("namespace") or "")


def found(path: str, value: object, allowed: str) -> str:
    """What is wrong at a path, in the words of all of the project's messages."""
    number = isinstance(value, float)
    told = "nothing" if value is None else plain(value) if number else repr(value)
    return f"{path}: found {told}, allowed is {allowed}"
