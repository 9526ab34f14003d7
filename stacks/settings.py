"""What a stack's file says, typed and checked.

All problems of a file come as one SettingsError, a line each: the path, what
was found, what is allowed.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from components.manifest import Object
from components.quantity import parse_quantity
from components.restricted_namespace import ApiServer as ApiServerArgs
from components.workload import Pattern, WorkloadArgs, pod_spec
from stacks.messages import any_of, validated
from stacks.quota import KEYS, misfits

PROJECT = "sidecar-powers"


class SettingsError(Exception):
    """The problems of a stack file, a line each."""


def _quantity(value: object) -> str:
    """YAML reads `cpu: 2` as a number, so numbers are quantities too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("allowed are quantities such as 250m, 64Mi or 2")
    if parse_quantity(str(value)) < 0:
        raise ValueError("a quantity can't be negative")
    return str(value)


def _no_system_namespace(name: str) -> str:
    if name == "default" or name.startswith("kube-"):
        raise ValueError("allowed is a namespace of the stack's own")
    return name


def _quota_key(key: str) -> str:
    if key not in KEYS:
        raise ValueError(f"allowed is {any_of(KEYS, key)}")
    return key


_EMPTY = BeforeValidator(lambda value: {} if value is None else value)
"""`key:` and `key: null` mean `key: {}`."""


def _text(value: object) -> str:
    """An address as a number would be read as one."""
    if not isinstance(value, str):
        raise ValueError("allowed is text such as 10.96.0.1/32")
    return value


_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Name = Annotated[str, StringConstraints(pattern=f"^{_LABEL}$", max_length=63)]
Namespace = Annotated[Name, AfterValidator(_no_system_namespace)]
Quantity = Annotated[str, BeforeValidator(_quantity)]
QuotaKey = Annotated[str, AfterValidator(_quota_key)]
Quantities = dict[str, Quantity]
Seconds = Annotated[int, Field(strict=True, ge=1, le=86400)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Text = Annotated[str, Field(strict=True, min_length=1)]


class _Model(BaseModel):
    """Keys are camelCase in the file, snake_case in Python."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, strict=True, populate_by_name=True
    )


class ContainerResources(_Model):
    requests: Annotated[Quantities, _EMPTY] = {}
    limits: Annotated[Quantities, _EMPTY] = {}


Images = Annotated[dict[str, Text], _EMPTY]


class Defaults(_Model):
    """What holds for every demo of the stack that doesn't say otherwise."""

    workload: Literal["deployment", "pod"] = "deployment"
    sidecars: Literal["native", "classic"] = "native"
    images: Images = {}
    resources: Annotated[ContainerResources, _EMPTY] = ContainerResources()


class Demo(_Model):
    """The options that every pattern has."""

    demo: str = ""
    workload: Literal["deployment", "pod"] | None = None
    sidecars: Literal["native", "classic"] | None = None
    replicas: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    images: Images = {}
    resources: Annotated[dict[str, Annotated[ContainerResources, _EMPTY]], _EMPTY] = {}
    interval_seconds: Seconds | None = None


class SharedFilesystem(Demo):
    port: Port | None = None
    size_limit: Quantity | None = None


class InitSidecar(Demo):
    app_interval_seconds: Seconds | None = None
    initial_text: Text | None = None
    updated_text: Text | None = None
    size_limit: Quantity | None = None


class Signal(Demo):
    app_interval_seconds: Seconds | None = None
    message: Text | None = None


class EnvInherit(Demo):
    app_interval_seconds: Seconds | None = None
    initial_version: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=63),
        ]
        | None
    ) = None
    service_account: Name | None = None
    admission_policy: Annotated[bool, Field(strict=True)] | None = None


class Resource(Demo):
    port: Port | None = None
    load_workers: Annotated[int, Field(strict=True, ge=0, le=64)] | None = None


PATTERNS: dict[str, type[Demo]] = {
    "shared-filesystem": SharedFilesystem,
    "init-sidecar": InitSidecar,
    "signal": Signal,
    "env-inherit": EnvInherit,
    "resource": Resource,
}
"""The options of each pattern. Its component is the class of that name."""


class ApiServer(_Model):
    """Where pods reach the API server."""

    cidr: Annotated[IPvAnyNetwork, BeforeValidator(_text)] | None = None
    port: Port | None = None

    def as_args(self) -> ApiServerArgs:
        return cast(ApiServerArgs, self.model_dump(mode="json", exclude_none=True))


class Settings(_Model):
    """A stack, as its file says it; `demos` are still unread."""

    namespace: Namespace
    allow_unpinned_images: Annotated[bool, Field(strict=True)] = False
    api_server: Annotated[ApiServer, _EMPTY] = ApiServer()
    quota: Annotated[dict[QuotaKey, Quantity], _EMPTY] = {}
    protect_namespace: Annotated[bool, Field(strict=True)] = False
    defaults: Annotated[Defaults, _EMPTY] = Defaults()
    demos: Any = None


@dataclass(frozen=True)
class Instance:
    """A demo to deploy."""

    name: str
    """Name of its component and its objects: the demo's key and `-demo`."""

    pattern: str

    args: Mapping[str, Any]
    """Arguments of the pattern's component."""

    @property
    def pod_spec(self) -> Object:
        """The pod that its component would register. Raises ValueError if args don't fit."""
        return pod_spec(self.module.pod(self.args), cast(WorkloadArgs, self.args))

    @property
    def module(self) -> ModuleType:
        """The module of the pattern; no other is imported."""
        return import_module(f"components.{self.pattern.replace('-', '_')}")

    @property
    def component(self) -> Callable[..., Pattern]:
        return getattr(self.module, PATTERNS[self.pattern].__name__)


@dataclass(frozen=True)
class Stack:
    """A stack that has passed all checks."""

    settings: Settings
    demos: Mapping[str, Instance]
    """By key in the file."""


def decoded(config: Mapping[str, str]) -> dict[str, Any]:
    """A stack's configuration as the engine hands it over, all but text as JSON."""
    return {
        key: value if key == f"{PROJECT}:namespace" else _json_or_text(value)
        for key, value in config.items()
    }


def read(config: Mapping[str, Any]) -> Stack:
    """Check a stack's configuration, keys being `sidecar-powers:namespace` and so on.

    Keys of other packages are none of its business. Raises SettingsError.
    """
    prefix = f"{PROJECT}:"
    own = {key.removeprefix(prefix): config[key] for key in config if key.startswith(prefix)}
    problems: list[str] = []
    settings = validated(Settings, own, "", problems, namespace="not-read")
    found = own.get("demos")
    if not isinstance(found, Mapping) or not found:
        problems.append(f"demos: found {found!r}, allowed is at least one of {any_of(PATTERNS)}")
        raise SettingsError("\n".join(problems))
    demos: dict[str, Instance] = {}
    for key, value in cast(Mapping[str, Any], found).items():
        instance = _demo(key, value, settings, problems)
        if instance is not None:
            demos[key] = instance
    problems += _collisions(demos)
    if not problems:
        pods = [(instance.pod_spec, instance.args) for instance in demos.values()]
        problems += misfits(settings.quota, pods)
    if problems:
        raise SettingsError("\n".join(problems))
    return Stack(settings, demos)


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _demo(key: str, value: Any, settings: Settings, problems: list[str]) -> Instance | None:
    path = f"demos.{key}"
    # Objects are named <key>-demo, which must be a DNS label of at most 63 characters.
    if not re.fullmatch(_LABEL, key) or len(key) > 58:
        problems.append(f"{path}: the key allows a-z, 0-9 and -, at most 58 characters")
    if not isinstance(value, Mapping | None):
        problems.append(f"{path}: found {value!r}, allowed is a mapping")
        return None
    options: dict[str, Any] = {"demo": key, **(value or {})}
    pattern = options["demo"]
    if pattern not in PATTERNS:
        where = path if pattern == key else f"{path}.demo"
        problems.append(f"{where}: found {pattern!r}, allowed is {any_of(PATTERNS, pattern)}")
        return None
    demo = validated(PATTERNS[pattern], options, path, problems)
    instance = Instance(f"{key}-demo", pattern, _args(key, demo, settings))
    found = list(_pod_problems(instance, settings))
    problems += [f"{path}.{problem}" for problem in found]
    return None if found else instance


def _args(key: str, demo: Demo, settings: Settings) -> dict[str, Any]:
    defaults = settings.defaults
    args = demo.model_dump(exclude={"demo"}, exclude_none=True)
    args["namespace"] = settings.namespace
    args.setdefault("workload", defaults.workload)
    args.setdefault("sidecars", defaults.sidecars)
    args["images"] = {**defaults.images, **demo.images}
    args["default_resources"] = defaults.resources.model_dump()
    if isinstance(demo, EnvInherit) and key != "env-inherit":
        args.setdefault("service_account", f"{key}-pod-labeler")
    return args


def _pod_problems(instance: Instance, settings: Settings) -> Iterable[str]:
    """What only the finished pod shows."""
    args = instance.args
    if args["workload"] == "pod" and args.get("replicas", 1) > 1:
        yield f"replicas: found {args['replicas']}, allowed with workload pod is 1"
    try:
        spec = instance.pod_spec
    except ValueError as error:
        yield str(error)
        return
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        name, image = container["name"], container["image"]
        requests = container["resources"]["requests"]
        for resource, limit in container["resources"]["limits"].items():
            request = requests.get(resource, limit)
            if parse_quantity(request) > parse_quantity(limit):
                yield (
                    f"resources.{name}.limits.{resource}: found {limit},"
                    f" allowed is at least the request, {request}"
                )
        if not settings.allow_unpinned_images and not _pinned(image):
            yield (
                f"images.{name}: found {image!r}, allowed is an image with a digest or a tag"
                " other than latest, unless allowUnpinnedImages is true"
            )


def _pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or tag not in ("", "latest")


def _collisions(demos: Mapping[str, Instance]) -> Iterable[str]:
    accounts: dict[str, str] = {}
    for key, instance in demos.items():
        if instance.pattern == "env-inherit":
            account = instance.args.get("service_account", "pod-labeler")
            if account in accounts:
                yield (
                    f"demos.{key}.serviceAccount: found {account!r},"
                    f" which demos.{accounts[account]} has already"
                )
            accounts.setdefault(account, key)
