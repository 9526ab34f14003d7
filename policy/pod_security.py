"""Pod Security `restricted`, field by field, as of Kubernetes 1.35.

Each control is a row: where the field is, what it may be, and whether it must be there. Those of
`baseline` that `restricted` narrows further are left out.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from policy.manifests import Manifests, Object, Part, Pod, found, inner, items, plain
from policy.model import Finding
from policy.volumes import kinds

Test = Callable[[Any], bool]


@dataclass(frozen=True)
class _Field:
    """A field of security contexts."""

    path: str
    allowed: str
    test: Test
    pod: bool = True
    """Whether a pod's security context has it too, which its containers then inherit."""
    required: bool = False
    """Whether leaving it out is forbidden."""
    linux: bool = False
    """Whether Windows pods need not care."""
    host_users: bool = False
    """Whether it is free in pods with user namespaces of their own."""


def _one_of(*values: Any) -> Test:
    return lambda value: value in values


def _unset(value: Any) -> bool:
    return value is None or value == ""


def _names(value: Any) -> list[str]:
    """The names in a list of capabilities; what is no list is told as it is."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return [str(cast(object, value))]
    return [str(name) for name in cast(Sequence[object], value)]


_FIELDS = [
    _Field("windowsOptions.hostProcess", "false", _one_of(False)),
    _Field("privileged", "false", _one_of(False), pod=False),
    _Field("procMount", "Default", _one_of("Default"), pod=False),
    _Field(
        "appArmorProfile.type",
        "RuntimeDefault or Localhost",
        _one_of("RuntimeDefault", "Localhost"),
    ),
    _Field(
        "seLinuxOptions.type",
        "container_t, container_init_t, container_kvm_t or container_engine_t",
        _one_of("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"),
    ),
    _Field("seLinuxOptions.user", "nothing", _unset),
    _Field("seLinuxOptions.role", "nothing", _unset),
    _Field(
        "allowPrivilegeEscalation", "false", _one_of(False), pod=False, required=True, linux=True
    ),
    _Field("runAsNonRoot", "true", _one_of(True), required=True, host_users=True),
    _Field("runAsUser", "any but 0", lambda value: value != 0, host_users=True),
    _Field(
        "seccompProfile.type",
        "RuntimeDefault or Localhost",
        _one_of("RuntimeDefault", "Localhost"),
        required=True,
        linux=True,
    ),
    _Field(
        "capabilities.drop",
        "a list with ALL",
        lambda value: "ALL" in _names(value),
        pod=False,
        required=True,
        linux=True,
    ),
    _Field(
        "capabilities.add",
        "NET_BIND_SERVICE alone",
        lambda value: {*_names(value)} <= {"NET_BIND_SERVICE"},
        pod=False,
        linux=True,
    ),
]

_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_HOOKS = ("postStart", "preStop")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def check(manifests: Manifests) -> Iterable[Finding]:
    """Every field of the profile, in every pod and template."""
    for pod in manifests.pods:
        for message in _messages(pod):
            yield Finding(pod.object, message)


def _messages(pod: Pod) -> Iterator[str]:
    windows = inner(pod.spec, "os").get("name") == "windows"
    own_users = pod.spec.get("hostUsers") is False
    for field in _FIELDS:
        if not (field.linux and windows) and not (field.host_users and own_users):
            yield from _context(pod, field)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield found(f"{pod.path}spec.{key}", True, "false")
    for sysctl in items(pod.spec, "securityContext", "sysctls"):
        if sysctl.get("name") not in _SYSCTLS:
            path = f"{pod.path}spec.securityContext.sysctls"
            yield found(path, sysctl.get("name"), ", ".join(_SYSCTLS))
    for volume in pod.volumes:
        for kind in sorted(kinds(volume) - _VOLUMES):
            yield found(volume.path, kind, ", ".join(sorted(_VOLUMES)))
    for key, value in inner(pod.metadata, "annotations").items():
        free = value in ("", "runtime/default") or str(value).startswith("localhost/")
        if key.startswith(_APP_ARMOR) and not free:
            path = f"{pod.path}metadata.annotations.{key}"
            yield found(path, value, "runtime/default or localhost/*")
    for container in pod.all_containers:
        yield from _hosts(container)


def _context(pod: Pod, field: _Field) -> Iterator[str]:
    """What is wrong with a field of the pod's security context and its containers'."""
    inherited = _get(pod.spec, field.path) if field.pod else None
    if inherited is not None and not field.test(inherited):
        yield found(f"{pod.path}spec.securityContext.{field.path}", inherited, field.allowed)
    for container in pod.all_containers:
        value = _get(container.value, field.path)
        given = inherited if value is None else value
        missing = field.required and given is None
        if missing or (value is not None and not field.test(value)):
            yield found(f"{container.path}.securityContext.{field.path}", given, field.allowed)


def _hosts(container: Part) -> Iterator[str]:
    """Ports of the node, and probes that ask another host than the pod."""
    for port in items(container.value, "ports"):
        if port.get("hostPort"):
            path = f"{container.path}.ports[{plain(port.get('containerPort'))}].hostPort"
            yield found(path, port["hostPort"], "nothing")
    handlers: Sequence[tuple[str, Object]] = [
        *((key, inner(container.value, key)) for key in _PROBES),
        *((f"lifecycle.{key}", inner(container.value, "lifecycle", key)) for key in _HOOKS),
    ]
    for where, handler in handlers:
        for kind in ("httpGet", "tcpSocket"):
            host = inner(handler, kind).get("host")
            if host:
                yield found(f"{container.path}.{where}.{kind}.host", host, "nothing")


def _get(item: Object, path: str) -> Any:
    """A value of an object's security context; None if it isn't set."""
    *outer, last = path.split(".")
    return inner(item, "securityContext", *outer).get(last)
