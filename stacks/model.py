"""The typed model of a stack file.

Keys are camelCase in the file, as in Kubernetes manifests, and snake_case here
and in the components' arguments. What pydantic can't say of one value alone,
settings.py checks.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from components.cert_renewal import HOST_NAME
from components.graceful_shutdown import READY_PORT
from components.health import MOST_DUMPS
from components.log_processing import LARGEST, MASKED_KEY, SMALLEST
from components.messages import any_of
from components.parts import GENERATION_PORT
from components.plugin_offer import port_of
from components.quantity import millicores, parse_quantity
from components.restricted_namespace import ApiServer as ApiServerArgs
from components.security_scan import ACTIONS, FILE_NAME, SIGNALS
from components.usage import KEYS, RESOURCE_NAMES
from components.workload import Resources


def _quantity(value: object) -> str:
    """YAML reads `cpu: 2` as a number, so numbers are quantities too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("allowed are quantities such as 250m, 64Mi or 2")
    if parse_quantity(str(value)) < 0:
        raise ValueError("a quantity can't be negative")
    return str(value)


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("allowed is text")
    return text


def _date(value: object) -> object:
    """YAML knows days, and the CLI hands one over as the moment at which it begins."""
    if type(value) is date:
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.removesuffix(" 00:00:00 +0000 UTC"))
        except ValueError:
            pass
    raise ValueError("allowed is a day such as 2030-12-31")


def _no_system_namespace(name: str) -> str:
    if name == "default" or name.startswith("kube-"):
        raise ValueError("allowed is a namespace of the stack's own")
    return name


def _positive(text: str) -> str:
    """To Kubernetes, a size of 0 means no limit."""
    if parse_quantity(text) <= 0:
        raise ValueError("allowed is more than 0")
    return text


def _cpu(text: str) -> str:
    """As a component takes it."""
    return f"{millicores(text)}m"


def _at_least_min(text: str, info: ValidationInfo) -> str:
    least = info.data.get("min_cpu")
    if least is not None and millicores(text) < millicores(least):
        raise ValueError(f"allowed is at least minCpu, {least}")
    return text


def _no_cpu_of_the_app(
    resources: "dict[str, ContainerResources]",
) -> "dict[str, ContainerResources]":
    app = resources.get("main-app")
    if app is not None and "cpu" in {**app.requests, **app.limits}:
        raise ValueError("allowed for cpu of main-app are minCpu and maxCpu")
    return resources


def _no_default_account(name: str) -> str:
    if name == "default":
        raise ValueError("allowed is a service account of the demo's own")
    return name


def _not_the_sidecars(port: int) -> int:
    if port == GENERATION_PORT:
        raise ValueError("allowed is any other: nginx answers the sidecar there")
    return port


def _rotated_at(size: str) -> str:
    if not parse_quantity(SMALLEST) <= parse_quantity(size) <= parse_quantity(LARGEST):
        raise ValueError(f"allowed is {SMALLEST} to {LARGEST}")
    return size


def _fetched(url: str) -> str:
    """One that is wrong may have a password in it, so nobody says what it is."""
    try:
        port_of(url)
    except ValueError as error:
        raise PydanticCustomError("secret", "{error}", {"error": str(error)}) from None
    return url


def _with_digest(url: str, info: ValidationInfo) -> str:
    """A source beside the keys before it. Validators see of each key whether it is right."""
    if info.data.get("sha256") is None or info.data.get("greeting") is not None:
        raise ValueError("allowed is a source with sha256, and without greeting")
    return url


def _with_source(value: object, info: ValidationInfo) -> object:
    if info.data.get("source") is None:
        raise ValueError("allowed is with source")
    return value


def _with_toolbox(seconds: int, info: ValidationInfo) -> int:
    if info.data.get("toolbox") is not True:
        raise ValueError("allowed is with toolbox true")
    return seconds


def _outlasts(seconds: int, info: ValidationInfo) -> int:
    interval = info.data.get("interval_seconds") or 60
    if seconds <= interval:
        raise ValueError(f"allowed is more than the interval, {interval}")
    return seconds


def _not_where_ready(port: int) -> int:
    if port == READY_PORT:
        raise ValueError("allowed is any other: the sidecar answers /ready there")
    return port


def _more_than_slow(seconds: int, info: ValidationInfo) -> int:
    slow = info.data.get("slow_seconds") or 2
    if seconds <= slow:
        raise ValueError(f"allowed is more than what is slow, {slow}")
    return seconds


def _one_of(allowed: Sequence[str]) -> AfterValidator:
    def check(key: str) -> str:
        if key not in allowed:
            raise ValueError(f"allowed is {any_of(allowed, key)}")
        return key

    return AfterValidator(check)


_EMPTY = BeforeValidator(lambda value: {} if value is None else value)
"""`key:` and `key: null` mean `key: {}`."""


def _text(value: object) -> str:
    """An address as a number would be read as one."""
    if not isinstance(value, str):
        raise ValueError("allowed is text such as 10.96.0.1/32")
    return value


class Encrypted(str):
    """A secret as it stands in the stack's file: it can be told from another, and not read."""

    __slots__ = ()


UNREAD = Encrypted("not-read")
"""Stands in for a secret that is missing or wrong, so that the rest can be checked further."""


def _secret(value: object, info: ValidationInfo) -> str:
    """A secret, which only the engine can read. Never says what it is."""
    if isinstance(value, Encrypted):
        return value
    if cast(dict[str, Any], info.context)["decrypted"]:
        if isinstance(value, str) and value:
            return value
    elif isinstance(value, dict):
        match cast(dict[str, Any], value):
            case {"secure": str(text), **rest} if not rest:
                return Encrypted(text)
            case _:
                pass
    raise PydanticCustomError("unencrypted", "allowed is an encrypted text")


def _token(value: str, info: ValidationInfo) -> str:
    """What a client can show as it is, once it can be read. Never says what it is."""
    known = cast(dict[str, Any], info.context)["decrypted"] and value != UNREAD
    if known and not re.fullmatch(_TOKEN, value):
        raise PydanticCustomError(
            "secret",
            "allowed are 16 to 1024 characters of A-Z a-z 0-9 - . _ ~ + /, with = at the end only",
        )
    return value


def _certificates(value: object) -> str:
    """PEM of certificates. What else was put there may be a key, so it is never said."""
    if isinstance(value, Encrypted):
        return value
    if isinstance(value, str) and re.fullmatch(f"({_CERTIFICATE})+", value):
        return value
    raise PydanticCustomError("secret", "allowed is PEM text of certificates, and of nothing else")


def _plain_name(name: str) -> str:
    if not re.fullmatch(FILE_NAME, name) or len(name) > 253:
        raise ValueError("allowed is a plain name of A-Z a-z 0-9 - _ ., not with .. first")
    return name


def _with_signal(signal: str, info: ValidationInfo) -> str:
    if info.data.get("action") != "signal":
        raise ValueError("allowed is with action signal")
    return signal


LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_IMAGE = (
    r"^[a-z0-9]+([._/-]+[a-z0-9]+|:[0-9]+/[a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
_TOKEN = r"(?=.{16,1024}$)[A-Za-z0-9._~+/-]+=*"
"""https://datatracker.ietf.org/doc/html/rfc6750#section-2.1"""
_CERTIFICATE = r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\s*"

Name = Annotated[str, StringConstraints(pattern=f"^{LABEL}$", max_length=63)]
Namespace = Annotated[Name, AfterValidator(_no_system_namespace)]
Quantity = Annotated[str, BeforeValidator(_quantity)]
Amounts = Annotated[dict[Annotated[str, _one_of(KEYS)], Quantity], _EMPTY]
Cpu = Annotated[Quantity, AfterValidator(_cpu)]
Size = Annotated[Quantity, AfterValidator(_positive)]
Quantities = dict[Annotated[str, _one_of(RESOURCE_NAMES)], Quantity]
Seconds = Annotated[int, Field(strict=True, ge=1, le=86400)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
OwnPort = Annotated[Port, AfterValidator(_not_the_sidecars)]
Text = Annotated[str, Field(strict=True, min_length=1)]
Line = Annotated[str, StringConstraints(pattern=r"^[^\n]+$")]
LabelValue = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=63)
]
Cidr = Annotated[IPvAnyNetwork, BeforeValidator(_text), PlainSerializer(str)]
Secret = Annotated[str, BeforeValidator(_secret)]
Token = Annotated[Secret, AfterValidator(_token)]
Certificates = Annotated[str, BeforeValidator(_certificates)]
HostName = Annotated[str, StringConstraints(pattern=f"^{HOST_NAME}$", max_length=253)]
MaskedKey = Annotated[str, StringConstraints(pattern=f"^{MASKED_KEY}$")]
Image = Annotated[str, Field(strict=True, pattern=_IMAGE)]


class _Model(BaseModel):
    """Unknown keys and values of another type are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        # A stack uses few of the patterns.
        defer_build=True,
    )


class ContainerResources(_Model):
    requests: Annotated[Quantities, _EMPTY] = {}
    limits: Annotated[Quantities, _EMPTY] = {}

    def as_args(self) -> Resources:
        return {"requests": self.requests, "limits": self.limits}


Images = Annotated[dict[str, Image], _EMPTY]
ByContainer = Annotated[dict[str, Annotated[ContainerResources, _EMPTY]], _EMPTY]
Account = Annotated[Name, AfterValidator(_no_default_account)]


class Defaults(_Model):
    """What holds for every demo of the stack that doesn't say otherwise."""

    workload: Literal["deployment", "pod"] = "deployment"
    sidecars: Literal["native", "classic"] = "native"
    timeout_seconds: Seconds = 300
    images: Images = {}
    resources: Annotated[ContainerResources, _EMPTY] = ContainerResources()


class Demo(_Model):
    """The options that every pattern has."""

    demo: str = ""
    workload: Literal["deployment", "pod"] | None = None
    sidecars: Literal["native", "classic"] | None = None
    timeout_seconds: Seconds | None = None
    replicas: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    images: Images = {}
    resources: ByContainer = {}
    interval_seconds: Seconds | None = None


class SharedFilesystem(Demo):
    port: Port | None = None
    size_limit: Size | None = None


class InitSidecar(Demo):
    app_interval_seconds: Seconds | None = None
    initial_text: Text | None = None
    updated_text: Text | None = None
    size_limit: Size | None = None


class Signal(Demo):
    app_interval_seconds: Seconds | None = None
    message: Text | None = None


class EnvInherit(Demo):
    app_interval_seconds: Seconds | None = None
    initial_version: LabelValue | None = None
    service_account: Account | None = None
    admission_policy: Annotated[bool, Field(strict=True)] | None = None


class Resource(Demo):
    port: Port | None = None
    load_workers: Annotated[int, Field(strict=True, ge=0, le=64)] | None = None


class HotReload(Demo):
    directives: Text | None = None
    port: OwnPort | None = None


class SecretRotation(Demo):
    token: Token
    overlap_seconds: Seconds | None = None
    port: OwnPort | None = None


class DependencyInjection(Demo):
    app_interval_seconds: Seconds | None = None
    version: LabelValue | None = None
    greeting: Line | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    source: Annotated[str, AfterValidator(_fetched), AfterValidator(_with_digest)] | None = None
    source_cidr: Annotated[Cidr, AfterValidator(_with_source)] | None = None
    size: Annotated[int, Field(strict=True, ge=1), AfterValidator(_with_source)] | None = None
    size_limit: Size | None = None


class CertRenewal(Demo):
    ca_certificate: Certificates
    ca_key: Secret
    trusted_certificates: Certificates | None = None
    host_names: Annotated[list[HostName], Field(min_length=1)] | None = None
    lifetime_seconds: Annotated[int, Field(strict=True), AfterValidator(_outlasts)] | None = None
    skew_seconds: Annotated[int, Field(strict=True, ge=0, le=86400)] | None = None
    port: Port | None = None


class Resize(Demo):
    resources: Annotated[ByContainer, AfterValidator(_no_cpu_of_the_app)] = {}
    min_cpu: Cpu | None = None
    max_cpu: Annotated[Cpu, AfterValidator(_at_least_min)] | None = None
    headroom_percent: Annotated[int, Field(strict=True, ge=10, le=1000)] | None = None
    load_seconds: Seconds | None = None
    service_account: Account | None = None
    admission_policy: Annotated[bool, Field(strict=True)] | None = None


class LogProcessing(Demo):
    app_interval_seconds: Seconds | None = None
    max_size: Annotated[Quantity, AfterValidator(_rotated_at)] | None = None
    masked_keys: Annotated[list[MaskedKey], Field(min_length=1)] | None = None


class SecurityScan(Demo):
    files: (
        Annotated[
            dict[Annotated[str, AfterValidator(_plain_name)], Annotated[str, Field(strict=True)]],
            Field(min_length=1),
        ]
        | None
    ) = None
    action: Annotated[str, _one_of(ACTIONS)] | None = None
    signal: Annotated[str, _one_of(SIGNALS), AfterValidator(_with_signal)] | None = None
    size_limit: Size | None = None


class GracefulShutdown(Demo):
    pre_stop_seconds: Seconds | None = None
    drain_seconds: Seconds | None = None
    grace_period_seconds: Seconds | None = None
    port: Annotated[Port, AfterValidator(_not_where_ready)] | None = None
    slow_seconds: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = None


class Health(Demo):
    port: Port | None = None
    slow_seconds: Seconds | None = None
    probe_timeout_seconds: Annotated[Seconds, AfterValidator(_more_than_slow)] | None = None
    failure_threshold: Annotated[int, Field(strict=True, ge=1, le=100)] | None = None
    start_seconds: Seconds | None = None
    stop_seconds: Seconds | None = None
    backoff_seconds: Seconds | None = None
    restart_budget: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    budget_seconds: Seconds | None = None
    dump_signal: Literal["USR1", "USR2", "HUP"] | None = None
    max_dumps: Annotated[int, Field(strict=True, ge=1, le=MOST_DUMPS)] | None = None


class Debug(Demo):
    toolbox: Annotated[bool, Field(strict=True)] | None = None
    deadline_seconds: Annotated[Seconds, AfterValidator(_with_toolbox)] | None = None
    app_interval_seconds: Seconds | None = None


PATTERNS: dict[str, type[Demo]] = {
    "shared-filesystem": SharedFilesystem,
    "init-sidecar": InitSidecar,
    "signal": Signal,
    "env-inherit": EnvInherit,
    "resource": Resource,
    "hot-reload": HotReload,
    "secret-rotation": SecretRotation,
    "dependency-injection": DependencyInjection,
    "cert-renewal": CertRenewal,
    "log-processing": LogProcessing,
    "security-scan": SecurityScan,
    "graceful-shutdown": GracefulShutdown,
    "health": Health,
    "debug": Debug,
    "resize": Resize,
}
"""The options of each pattern. Its component is the class of that name."""


class ApiServer(_Model):
    """Where pods reach the API server."""

    cidr: Annotated[IPvAnyNetwork, BeforeValidator(_text)] | None = None
    port: Port | None = None

    def as_args(self) -> ApiServerArgs:
        return cast(ApiServerArgs, self.model_dump(mode="json", exclude_none=True))


RULES = (
    "pod-security-restricted",
    "requests-and-limits",
    "images-pinned",
    "no-default-namespace",
    "pod-security-enforced",
    "network-policy-present",
    "no-token-automount",
    "rbac-no-wildcards",
    "rbac-scoped-pod-patch",
    "selectors-not-self-patched",
    "empty-dirs-bounded",
    "no-sub-path",
    "pid-1-not-signalled",
    "grace-period",
    "probes",
    "budget",
)
"""The policies that a stack file can waive; policy/ has what they say."""


class Waiver(_Model):
    """An exception from a policy."""

    reason: Annotated[Text, AfterValidator(_said)]
    expires: Annotated[date, BeforeValidator(_date)]
    """The last day on which it holds."""


Waivers = dict[
    Annotated[str, _one_of(RULES)],
    Annotated[dict[Text, Annotated[Waiver, _EMPTY]], _EMPTY],
]
"""By rule, then by kind and name of an object: `Pod/signal-demo`; `*` stands for any text."""


def is_pinned(image: str) -> bool:
    """Whether an image has a digest or a tag other than latest."""
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return "@sha256:" in image or tag not in ("", "latest")


class PolicySettings(_Model):
    """What a stack file says to the policies."""

    budget: Amounts = {}
    waivers: Annotated[Waivers, _EMPTY] = {}


class Settings(PolicySettings):
    """A stack, as its file says it; `demos` are still unread."""

    namespace: Namespace
    allow_unpinned_images: Annotated[bool, Field(strict=True)] = False
    api_server: Annotated[ApiServer, _EMPTY] = ApiServer()
    quota: Amounts = {}
    protect_namespace: Annotated[bool, Field(strict=True)] = False
    defaults: Annotated[Defaults, _EMPTY] = Defaults()
    demos: Any = None
