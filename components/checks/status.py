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
    return _time(statuses(pod).get(container, {}), "running", "startedAt")


def terminated(pod: Object, container: str) -> float | None:
    """When a container has ended, in seconds since the epoch; None if it hasn't."""
    return _time(statuses(pod).get(container, {}), "terminated", "finishedAt")


def _time(status: Object, state: str, field: str) -> float | None:
    text = status.get("state", {}).get(state, {}).get(field)
    return datetime.fromisoformat(text).timestamp() if text else None
