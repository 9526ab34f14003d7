"""What a pod's status says of one of its containers."""

from datetime import datetime
from typing import Any

from ..manifest import Object


def statuses(pod: Object) -> dict[str, Object]:
    """The status of each container by its name, in the order in which they start."""
    status: Object = pod.get("status", {})
    found: list[Any] = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    return {item["name"]: item for item in found}


def restarts(pod: Object, container: str) -> int:
    """How often a container has been started again."""
    return statuses(pod).get(container, {}).get("restartCount", 0)


def started(pod: Object, container: str) -> float | None:
    """Since when a container runs, in seconds since the epoch; None if it doesn't."""
    return _time(_state(pod, container, "running").get("startedAt"))


def completed(pod: Object, container: str, before: float) -> bool:
    """Whether a container has ended with exit code 0, not after that time."""
    state = _state(pod, container, "terminated")
    # Of a container that is long gone the kubelet doesn't know when it ended.
    ended = _time(state.get("finishedAt"))
    return state.get("exitCode") == 0 and (ended is None or ended <= before)


def _state(pod: Object, container: str, state: str) -> Object:
    return statuses(pod).get(container, {}).get("state", {}).get(state) or {}


def _time(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
