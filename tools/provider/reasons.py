"""Why a workload is not ready, as its status, its events and its containers' last lines say it."""

from dataclasses import dataclass

from tools.provider.errors import ProviderError
from tools.provider.objects import Api, Ref
from tools.status import LOG_LINES, Object, condition, containers, entries, section, tail

_HOPELESS = {"InvalidImageName"}
"""Waiting reasons that no passing of time can cure; a missing image or ConfigMap may yet come."""


@dataclass(frozen=True)
class Trouble:
    """What keeps an object from being ready."""

    text: str
    hopeless: bool = False
    """Waiting longer is of no use."""


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
    for container in containers(pod):
        text = container.trouble
        if text is None:
            continue
        ended, waiting = container.ended, container.waiting
        hopeless = hopeless or waiting.get("reason") in _HOPELESS
        if ended:
            lines = ended.get("message") or ""
            if with_logs and not lines:
                name = container.spec["name"]
                lines = await api.log(_ref(pod), name, bool(waiting), LOG_LINES)
            text += f"; its last lines:\n{tail(lines)}" if lines.strip() else ""
        vague = vague and not ended and not waiting.get("message")
        found.append(f"{container}: {text}")
    if with_logs and vague:
        found += await _warnings(api, pod)
    return Trouble("; ".join(found) or "it has not started yet", hopeless)


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
    if progressing.get("status") == "False":
        # It keeps trying, and may have been past its deadline before what is waited for was done.
        found.append(f"{progressing.get('reason')}: {progressing.get('message')}")
    return Trouble("; ".join(found))


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
