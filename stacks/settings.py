"""What a stack's file says, typed and checked.

All problems of a file come as one SettingsError, a line each: the path, what
was found, what is allowed.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from components.graceful_shutdown import GracefulShutdownArgs, grace_period, seconds
from components.manifest import Object
from components.messages import any_of
from components.parts import IMAGES
from components.quantity import parse_quantity
from components.usage import Usage, texts, total
from components.workload import (
    RESOURCES,
    Pattern,
    PodTemplate,
    Resources,
    WorkloadArgs,
    merged,
    pod_specs,
    unknown_names,
    usage_of,
)
from stacks.messages import validated
from stacks.model import (
    LABEL,
    PATTERNS,
    UNREAD,
    Demo,
    GracefulShutdown,
    PolicySettings,
    Settings,
    is_pinned,
)
from stacks.quota import broken_pods, misfits

PROJECT = "sidecar-powers"

_ACCOUNTS = {"env-inherit": "pod-labeler", "resize": "pod-resizer"}
"""The service account of each pattern that has one, by default."""


class SettingsError(Exception):
    """The problems of a stack file, a line each."""


@dataclass(frozen=True)
class Instance:
    """A demo to deploy."""

    name: str
    """Name of its component and its objects: the demo's key and `-demo`."""

    pattern: str

    args: Mapping[str, Any]
    """Arguments of the pattern's component."""

    @cached_property
    def template(self) -> PodTemplate:
        """The pod of its pattern, before images and resources are chosen."""
        return self.module.pod(self.name, self.args)

    @property
    def workloads(self) -> list[str]:
        """Names of what has pods: its own, and those that its component deploys beside it."""
        return [self.name, *self.template.companions]

    @property
    def names(self) -> list[str]:
        """What `images` may name: roles and its containers."""
        return [*IMAGES, *self.template.names]

    @cached_property
    def pod_specs(self) -> list[tuple[Object, WorkloadArgs]]:
        """The pods that its component would register, each with the arguments of its workload.

        Raises ValueError if args don't fit.
        """
        return pod_specs(self.template, cast(WorkloadArgs, self.args))

    @cached_property
    def usage(self) -> Usage:
        """What all its pods count together."""
        return usage_of(self.pod_specs)

    @property
    def module(self) -> ModuleType:
        """The module of the pattern; no other is imported."""
        return import_module(f"components.{self.pattern.replace('-', '_')}")

    @property
    def containers(self) -> list[Object]:
        """All containers of its pods, hardened."""
        specs = [spec for spec, _ in self.pod_specs]
        return [
            item
            for spec in specs
            for item in [*spec.get("initContainers", []), *spec["containers"]]
        ]

    @property
    def component(self) -> Callable[..., Pattern]:
        return getattr(self.module, PATTERNS[self.pattern].__name__)


@dataclass(frozen=True)
class Stack:
    """A stack that has passed all checks."""

    settings: Settings
    demos: Mapping[str, Instance]
    """By key in the file."""

    @property
    def totals(self) -> dict[str, str]:
        """What all pods take together, by key of a quota."""
        return texts(total(demo.usage for demo in self.demos.values()))


def encoded(config: Mapping[str, Any]) -> dict[str, str]:
    """A stack's configuration as the engine hands it over: text as it is, all else as JSON."""
    return {
        # YAML knows dates, JSON doesn't; `read` will say what it wants instead.
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in config.items()
        if value is not None
    }


def decoded(config: Mapping[str, str]) -> dict[str, Any]:
    """The reverse of `encoded`."""
    return {
        key: value if key == f"{PROJECT}:namespace" else _json_or_text(value)
        for key, value in config.items()
    }


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def read(config: Mapping[str, Any], decrypted: bool = False) -> Stack:
    """Check a stack's configuration, keys being `sidecar-powers:namespace` and so on.

    Keys of other packages are none of its business. `decrypted` says whether the engine has
    decrypted the secrets of `demos`; as the file has them they are {"secure": "..."}.
    Raises SettingsError.
    """
    own = _own(config)
    problems = [*_misspelt(config)]
    settings = validated(Settings, own, "", problems, namespace="not-read")
    problems += _unpinned("defaults", settings.defaults.images, settings)
    problems += _limits_below(
        "defaults.resources", merged(RESOURCES, settings.defaults.resources.as_args())
    )
    found = settings.demos
    if not isinstance(found, Mapping) or not found:
        allowed = f"a mapping with at least one of {any_of(PATTERNS)}"
        problems.append(f"demos: found {found!r}, allowed is {allowed}")
        raise SettingsError("\n".join(problems))
    demos: dict[str, Instance] = {}
    for key, value in cast(Mapping[str, Any], found).items():
        instance = _demo(key, value, settings, problems, decrypted)
        if instance is not None:
            demos[key] = instance
    problems += _unknown_defaults(settings, demos.values())
    problems += _collisions(demos)
    problems += broken_pods("budget", settings.budget)
    problems += misfits(
        settings.quota, [pair for item in demos.values() for pair in item.pod_specs]
    )
    if problems:
        raise SettingsError("\n".join(problems))
    return Stack(settings, demos)


def read_policies(config: Mapping[str, Any]) -> PolicySettings:
    """What a configuration says to the policies, whatever program it is for.

    Raises SettingsError.
    """
    own = _own(config)
    problems: list[str] = []
    keys = [field.alias for field in PolicySettings.model_fields.values()]
    settings = validated(
        PolicySettings, {key: own[key] for key in own if key in keys}, "", problems
    )
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _misspelt(config: Mapping[str, Any]) -> Iterable[str]:
    """Keys that were probably meant to be the project's."""
    for key in config:
        package, _, rest = key.partition(":")
        if package != PROJECT and get_close_matches(package, [PROJECT]):
            yield f"{key}: is no key of this project, did you mean {PROJECT}:{rest}?"


def _own(config: Mapping[str, Any]) -> dict[str, Any]:
    """The project's part of a configuration."""
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): config[key] for key in config if key.startswith(prefix)}


def _demo(
    key: str, value: Any, settings: Settings, problems: list[str], decrypted: bool
) -> Instance | None:
    """The instance, what is wrong with it added to the problems; None if it can't be made."""
    path = f"demos.{key}"
    # Objects are named <key>-demo, which must be a DNS label of at most 63 characters.
    if not re.fullmatch(LABEL, key) or len(key) > 58:
        problems.append(f"{path}: the key allows a-z, 0-9 and -, at most 58 characters")
    if not isinstance(value, Mapping | None):
        # Somebody may have put the secret there instead of where it belongs.
        found = "a secret" if decrypted else repr(value)
        problems.append(f"{path}: found {found}, allowed is a mapping")
        return None
    options: dict[str, Any] = {"demo": key, **(value or {})}
    pattern = options["demo"]
    if not isinstance(pattern, str) or pattern not in PATTERNS:
        where = path if pattern == key else f"{path}.demo"
        allowed = any_of(PATTERNS, str(pattern))
        problems.append(f"{where}: found {pattern!r}, allowed is {allowed}")
        return None
    fields = PATTERNS[pattern].model_fields.values()
    # What a demo must be given is secret or goes with it, and nothing else depends on what it is.
    required = {str(field.alias): UNREAD for field in fields if field.is_required()}
    demo = validated(PATTERNS[pattern], options, path, problems, decrypted, **required)
    instance = Instance(f"{key}-demo", pattern, _args(key, demo, settings))
    problems += _unpinned(path, demo.images, settings)
    if instance.args["workload"] == "pod" and instance.args.get("replicas", 1) > 1:
        found = instance.args["replicas"]
        problems.append(f"{path}.replicas: found {found}, allowed with workload pod is 1")
    behind = [*instance.template.companions]
    if isinstance(demo, GracefulShutdown):
        behind.append(instance.name)
        try:
            grace_period(*seconds(cast(GracefulShutdownArgs, instance.args)))
        except ValueError as error:
            problems.append(f"{path}.gracePeriodSeconds: {error}")
    for name in behind:
        # They have Services, whose names begin with a letter.
        if len(name) > 63 or not name[0].isalpha():
            problems.append(
                f"{path}: found {name!r} for an object, allowed are 63 characters, first a letter"
            )
    unknown = unknown_names(instance.template, cast(WorkloadArgs, instance.args))
    if unknown:
        problems += [f"{path}.{line}" for line in unknown]
        return None
    for container in instance.containers:
        if container["name"] in demo.resources:
            where = f"{path}.resources.{container['name']}"
            problems += _limits_below(where, container["resources"])
    return instance


def _args(key: str, demo: Demo, settings: Settings) -> dict[str, Any]:
    """The arguments of the demo's component."""
    defaults = settings.defaults
    args = demo.model_dump(exclude={"demo"}, exclude_none=True)
    args["namespace"] = settings.namespace
    args.setdefault("workload", defaults.workload)
    args.setdefault("sidecars", defaults.sidecars)
    args.setdefault("timeout_seconds", defaults.timeout_seconds)
    args["default_resources"] = defaults.resources.as_args()
    if demo.demo in _ACCOUNTS and key != demo.demo:
        args.setdefault("service_account", f"{key}-{_ACCOUNTS[demo.demo]}")
    # The stack's images may name containers that only other demos have.
    names = Instance("", demo.demo, args).names
    images = {name: defaults.images[name] for name in defaults.images if name in names}
    args["images"] = {**images, **demo.images}
    return args


def _unknown_defaults(settings: Settings, demos: Iterable[Instance]) -> Iterable[str]:
    allowed = list(dict.fromkeys([*IMAGES, *(name for demo in demos for name in demo.names)]))
    for name in settings.defaults.images:
        if name not in allowed:
            yield f"defaults.images.{name}: found {name!r}, allowed is {any_of(allowed, name)}"


def _limits_below(path: str, resources: Resources) -> Iterable[str]:
    for resource, limit in resources.get("limits", {}).items():
        request = resources.get("requests", {}).get(resource, limit)
        if parse_quantity(request) > parse_quantity(limit):
            yield (
                f"{path}.limits.{resource}: found {limit},"
                f" allowed is at least the request, {request}"
            )


def _unpinned(path: str, images: Mapping[str, str], settings: Settings) -> Iterable[str]:
    for name, image in images.items():
        if not is_pinned(image) and not settings.allow_unpinned_images:
            yield (
                f"{path}.images.{name}: found {image!r}, allowed is an image with a digest or a"
                " tag other than latest, unless allowUnpinnedImages is true"
            )


def _collisions(demos: Mapping[str, Instance]) -> Iterable[str]:
    accounts: dict[str, str] = {}
    for key, instance in demos.items():
        if instance.pattern in _ACCOUNTS:
            account = instance.args.get("service_account", _ACCOUNTS[instance.pattern])
            if account in accounts:
                yield (
                    f"demos.{key}.serviceAccount: found {account!r},"
                    f" which demos.{accounts[account]} has already"
                )
            accounts.setdefault(account, key)
