"""Why a check fails, as far as the cluster tells: pods, containers, their last lines, RBAC."""

import re

from components.checks import UnmetError
from tools.status import Container, Object, condition, containers, of_log, section, tail
from tools.verify.cluster import TIMEOUT, Cluster, unmet

_LINES = 50
"""How many of a log's last lines are searched for refusals; fewer are shown."""

_RECENT = 300
"""How many seconds back: what was refused before may have been mended since."""

_FORBIDDEN = re.compile(
    r'User \\?"(?P<user>[^"\\]+)\\?" cannot (?P<verb>\w+) resource \\?"(?P<resource>[^"\\]+)\\?"'
    r' in API group \\?"(?P<group>[^"\\]*)\\?"(?: in the namespace \\?"(?P<namespace>[^"\\]+)\\?")?'
)


def causes(cluster: Cluster, outputs: Object, pod: str, seen: str) -> list[str]:
    """What is wrong with a demo's pods, or with one, a cause each, the likeliest first.

    `seen` is what a check has said already.
    """
    found = missing_rules(seen)
    try:
        found += _of_workload(cluster.workload(outputs))
        for item in cluster.pods(outputs):
            if pod in ("", item["metadata"]["name"]):
                found += _of_pod(cluster, item)
    except UnmetError as error:
        found += [str(error), *missing_rules(str(error))]
    return [cause for cause in dict.fromkeys(found) if cause != seen]


def missing_rules(text: str) -> list[str]:
    """The RBAC rules that the refusals in a text ask for."""
    rules: list[str] = []
    for match in _FORBIDDEN.finditer(text):
        user, verb, resource, group, namespace = match.groups()
        rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]'
        where = f" in namespace {namespace}" if namespace else ""
        rules.append(f"RBAC: {user} lacks the rule {rule}{where}")
    return rules


def _of_workload(workload: Object) -> list[str]:
    """That a Deployment can't make its pods, over a quota for instance."""
    refused = condition(workload, "ReplicaFailure")
    if refused.get("status") != "True":
        return []
    return [f"{refused.get('reason')}: {refused.get('message')}"]


def _of_pod(cluster: Cluster, pod: Object) -> list[str]:
    name, status = pod["metadata"]["name"], section(pod, "status")
    if status.get("reason"):
        return [f"pod {name}: {status['reason']}: {status.get('message', '')}".strip()]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [f"pod {name} is pending: {scheduled.get('reason')}: {scheduled.get('message')}"]
    found: list[str] = []
    rules: list[str] = []
    for container in containers(pod):
        rules += missing_rules(_log(cluster, pod, container, since_seconds=_RECENT))
        trouble = container.trouble
        if trouble is None and container.ended and not _has_done_its_work(container):
            times = container.status["restartCount"]
            trouble = f"it was started again {times} times, the last time after {container.how}"
        if trouble:
            # Those of what has ended, whatever runs in its place.
            before = bool(section(container.status, "lastState", "terminated"))
            ended_now = bool(section(container.status, "state", "terminated"))
            log = _log(cluster, pod, container, previous=before and not ended_now)
            shown = f"; its last lines:\n{tail(log)}" if log else ""
            found.append(f"pod {name}: {container}: {trouble}{shown}")
    if not found and condition(pod, "Ready").get("status") != "True":
        # A volume that can't be mounted, a pod that was evicted: only events tell.
        events = cluster.warnings(pod)[-1:]
        found = [f"pod {name}: {event['reason']}: {event['message']}" for event in events]
    return found + rules


def _has_done_its_work(container: Container) -> bool:
    return container.role == "init container" and container.ended.get("exitCode") == 0


def _log(
    cluster: Cluster,
    pod: Object,
    container: Container,
    previous: bool = False,
    **limit: int,
) -> str:
    """The end of a container's log, or of the one that ran before it; empty if there is none."""
    try:
        with unmet():
            answer = cluster.core.read_namespaced_pod_log(
                pod["metadata"]["name"],
                pod["metadata"]["namespace"],
                container=container.spec["name"],
                previous=previous,
                tail_lines=_LINES,
                _preload_content=False,
                _request_timeout=TIMEOUT,
                **limit,
            )
    except UnmetError:
        # A reason less is no reason to fail.
        return ""
    return of_log(answer.data.decode(errors="replace")).strip()
