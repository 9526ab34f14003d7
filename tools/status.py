"""What the status of a Kubernetes object says, and which of its containers are in trouble."""

from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one, as in JSON."""

_JUST_STARTING = {"ContainerCreating", "PodInitializing"}

LOG_LINES = 5
"""How many of a log's last lines are shown."""

_LOG_CHARACTERS = 1000

_LOG_GONE = ("unable to retrieve container logs", "failed to try resolving symlinks in path")
"""With status 200, of a container, or of its log alone, that the kubelet has removed meanwhile.
https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/logs/logs.go"""


def is_map(value: Any) -> TypeGuard[Object]:
    """Whether it is a JSON object, whose keys are always text."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def section(obj: Object, *keys: str) -> Object:
    """The map at that place in the object, {} if there is none (yet: it may be unknown)."""
    for key in keys:
        found = obj.get(key)
        obj = found if is_map(found) else {}
    return obj


def entries(obj: Object, *keys: str) -> list[Object]:
    """The list of maps at that place in the object, [] if there is none."""
    found = section(obj, *keys[:-1]).get(keys[-1])
    return found if is_list(found) else []


def condition(obj: Object, kind: str) -> Object:
    """The status condition of that type, {} if there is none."""
    for item in entries(obj, "status", "conditions"):
        if item["type"] == kind:
            return item
    return {}


@dataclass(frozen=True)
class Container:
    """A container of a pod that has a status."""

    role: str
    """`container`, `init container` or `native sidecar`."""

    spec: Object
    status: Object

    def __str__(self) -> str:
        return f'{self.role} "{self.spec["name"]}" (image {self.spec["image"]})'

    @property
    def waiting(self) -> Object:
        """What it waits for, {} if it doesn't."""
        return section(self.status, "state", "waiting")

    @property
    def ended(self) -> Object:
        """How it ended, now or the last time; {} if it never did."""
        now = section(self.status, "state", "terminated")
        return now or section(self.status, "lastState", "terminated")

    @property
    def how(self) -> str:
        """How it ended in words: reason, unless that says nothing, and exit code."""
        if not self.ended:
            return ""
        code = f"exit code {self.ended.get('exitCode')}"
        reason = self.ended.get("reason")
        return code if reason in ("Error", "Completed", None) else f"{reason}, {code}"

    @property
    def trouble(self) -> str | None:
        """What keeps it from being ready; None if it is, or only waits for another one."""
        how, waiting = self.how, self.waiting
        if waiting:
            reason = str(waiting.get("reason", "Waiting"))
            if reason in _JUST_STARTING and not how:
                return None
            return f"{reason}: {how or waiting.get('message', '')}".rstrip(": ")
        restarts: int = self.status["restartCount"]
        if section(self.status, "state", "terminated"):
            done = self.role == "init container" and self.ended.get("exitCode") == 0
            # Restarted before, it will be waiting to be restarted again in a moment.
            again = "CrashLoopBackOff:" if restarts else "it has ended with"
            return None if done else f"{again} {how}"
        if self.status.get("ready") or self.role == "init container":
            return None
        text = "it runs but is not ready"
        if "startupProbe" in self.spec and not self.status.get("started"):
            text = "its startup probe has not succeeded yet"
        return f"{text}, after {restarts} restarts, the last with {how}" if how else text


def containers(pod: Object) -> list[Container]:
    """Every container of a pod that has a status, in the order of starting."""
    found: list[Container] = []
    for specs, statuses in (
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ):
        by_name = {item["name"]: item for item in entries(pod, "status", statuses)}
        for spec in entries(pod, "spec", specs):
            role = "container" if specs == "containers" else "init container"
            role = "native sidecar" if spec.get("restartPolicy") == "Always" else role
            if spec["name"] in by_name:
                found.append(Container(role, spec, by_name[spec["name"]]))
    return found


def restarts(pod: Object) -> int:
    """How often its containers have been started again, all together."""
    return sum(container.status["restartCount"] for container in containers(pod))


def of_log(answer: str) -> str:
    """What the kubelet answers when asked for a log, empty if it only says that the log is gone."""
    return "" if answer.startswith(_LOG_GONE) else answer


def tail(text: str) -> str:
    """The last lines of a log, few enough to be read."""
    return "\n".join(text.strip()[-_LOG_CHARACTERS:].splitlines()[-LOG_LINES:])
