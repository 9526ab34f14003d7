"""Why a workload is not ready, as its status, its events and its containers' last lines say it."""

from dataclasses import dataclass

from tools.provider.errors import ProviderError
from tools.provider.objects import Api, Ref
from tools.provider.values import Object, entries, section

_HOPELESS = {"InvalidImageName"}
"""Waiting reasons that no passing of time can cure; a missing image or ConfigMap may yet come."""

_JUST_STARTING = {"ContainerCreating", "PodInitializing"}

_LOG_LINES = 5
_LOG_CHARACTERS = 1000


@dataclass(frozen=True)
class Trouble:
    """What keeps an object from being ready."""

    text: str
    hopeless: bool = False
    """Waiting longer is of no use."""


def condition(obj: Object, kind: str) -> Object:
    """The status condition of that type, {} if there is none."""
    for item in entries(obj, "status", "conditions"):
        if item["type"] == kind:
            return item
    return {}


async def pod_trouble(api: Api, pod: Object, with_logs: bool) -> Trouble:
    """What is wrong with a pod that is not ready; logs and events cost requests of their own."""
    status: Object = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return Trouble("it is being deleted", hopeless=True)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return Trouble(f"{scheduled.get('reason')}: {scheduled.get('message')}")
    found: list[str] = []
    hopeless = status.get("phase") == "Failed"
    if hopeless and status.get("reason"):
        found.append(f"{status['reason']}: {status.get('message', '')}")
    vague = True
    for role, spec, container in _containers(pod):
        text = _container_trouble(role, spec, container)
        if text is None:
            continue
        waiting = section(container, "state", "waiting")
        hopeless = hopeless or waiting.get("reason") in _HOPELESS
        ended = _ended(container)
        if ended:
            lines = ended.get("message") or ""
            if with_logs and not lines:
                lines = await api.log(_ref(pod), spec["name"], bool(waiting), _LOG_LINES)
            text += f"; its last lines:\n{_tail(lines)}" if lines.strip() else ""
        vague = vague and not ended and not waiting.get("message")
        found.append(f'{role} "{spec["name"]}" (image {spec["image"]}): {text}')
    if with_logs and vague:
        found += await _warnings(api, pod)
    return Trouble("; ".join(found) or "it has not started yet", hopeless)


def _containers(pod: Object) -> list[tuple[str, Object, Object]]:
    """Role, spec and status of every container that has a status, in the order of starting."""
    found: list[tuple[str, Object, Object]] = []
    for specs, statuses in (
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ):
        by_name = {item["name"]: item for item in entries(pod, "status", statuses)}
        for spec in entries(pod, "spec", specs):
            native = spec.get("restartPolicy") == "Always"
            role = "container" if specs == "containers" else "init container"
            if spec["name"] in by_name:
                found.append(("native sidecar" if native else role, spec, by_name[spec["name"]]))
    return found


def _container_trouble(role: str, spec: Object, status: Object) -> str | None:
    """What keeps this container from being ready; None if it is, or waits for another one."""
    state: Object = status["state"]
    ended, waiting = _ended(status), state.get("waiting")
    how = f"exit code {ended.get('exitCode')}" if ended else ""
    if ended and ended.get("reason") not in ("Error", "Completed", None):
        how = f"{ended['reason']}, {how}"
    if waiting:
        reason = str(waiting.get("reason", "Waiting"))
        if reason in _JUST_STARTING and not ended:
            return None
        return f"{reason}: {how or waiting.get('message', '')}".rstrip(": ")
    if "terminated" in state:
        done = role == "init container" and ended.get("exitCode") == 0
        # Restarted before, it will be waiting to be restarted again in a moment.
        again = "CrashLoopBackOff:" if status["restartCount"] else "it has ended with"
        return None if done else f"{again} {how}"
    if status.get("ready") or role == "init container":
        return None
    text = "it runs but is not ready"
    if "startupProbe" in spec and not status.get("started"):
        text = "its startup probe has not succeeded yet"
    return f"{text}, after {status['restartCount']} restarts, the last with {how}" if how else text


def _ended(status: Object) -> Object:
    """How the container ended, now or the last time; {} if it never did."""
    return section(status, "state", "terminated") or section(status, "lastState", "terminated")


def _tail(text: str) -> str:
    return "\n".join(text.strip()[-_LOG_CHARACTERS:].splitlines()[-_LOG_LINES:])


async def deployment_trouble(api: Api, deployment: Object, with_logs: bool) -> Trouble:
    """What is wrong with a deployment that is not rolled out: its own word, then its pods'."""
    status: Object = deployment.get("status", {})
    wanted = deployment["spec"].get("replicas", 1)
    found = [
        f"{status.get('updatedReplicas', 0)} of {wanted} replicas are up to date, "
        f"{status.get('availableReplicas', 0)} available"
    ]
    progressing, refused = (
        condition(deployment, "Progressing"),
        condition(deployment, "ReplicaFailure"),
    )
    if refused.get("status") == "True":
        found.append(f"{refused.get('reason')}: {refused.get('message')}")
    for pod in await _newest_pods(api, deployment):
        if condition(pod, "Ready").get("status") != "True":
            trouble = await pod_trouble(api, pod, with_logs)
            found.append(f"pod {pod['metadata']['name']}: {trouble.text}")
            break  # its siblings suffer from the same
    gone_too_long = progressing.get("status") == "False"
    if gone_too_long:
        found.append(f"{progressing.get('reason')}: {progressing.get('message')}")
    return Trouble("; ".join(found), gone_too_long)


async def _newest_pods(api: Api, deployment: Object) -> list[Object]:
    revision = _revision(deployment)
    sets = await _owned(api, "apps/v1", "ReplicaSet", deployment, deployment["spec"])
    for replica_set in sets:
        if _revision(replica_set) == revision:
            return await _owned(api, "v1", "Pod", replica_set, deployment["spec"])
    return []


def _revision(obj: Object) -> str | None:
    return section(obj, "metadata", "annotations").get("deployment.kubernetes.io/revision")


async def _owned(api: Api, version: str, kind: str, owner: Object, spec: Object) -> list[Object]:
    labels = section(spec, "selector", "matchLabels")
    found = await api.list(
        version,
        kind,
        owner["metadata"]["namespace"],
        labelSelector=",".join(f"{key}={value}" for key, value in labels.items()),
    )
    uid = owner["metadata"]["uid"]
    return [
        item
        for item in found
        if any(ref["uid"] == uid for ref in entries(item, "metadata", "ownerReferences"))
    ]


async def _warnings(api: Api, obj: Object) -> list[str]:
    """The newest warning among the object's events: a failed mount, a failing probe."""
    uid, namespace = obj["metadata"]["uid"], obj["metadata"]["namespace"]
    try:
        events = await api.list(
            "v1", "Event", namespace, fieldSelector=f"involvedObject.uid={uid},type=Warning"
        )
    except ProviderError:
        return []  # a reason less is no reason to fail
    events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [f"{event['reason']}: {event['message']}" for event in events[-1:]]


def _ref(pod: Object) -> Ref:
    return Ref("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
