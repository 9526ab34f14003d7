"""Why a check fails, as far as the cluster tells: pods, containers, their last lines, RBAC."""

import re

from components.checks import UnmetError
from tools.status import Container, Object, condition, containers, section, tail
from tools.verify.live import Cluster, unmet

_LINES = 50
"""How many of a log's last lines are searched for refusals; fewer are shown."""

_FORBIDDEN = re.compile(
    r'User \\?"(?P<user>[^"\\]+)\\?" cannot (?P<verb>\w+) resource \\?"(?P<resource>[^"\\]+)\\?"'
    r' in API group \\?"(?P<group>[^"\\]*)\\?"(?: in the namespace \\?"(?P<namespace>[^"\\]+)\\?")?'
)


def causes(cluster: Cluster, outputs: Object, pod: str, seen: str) -> list[str]:
    """What is wrong with a demo's pods, or with one, a cause each, the likeliest first."""
    namespace, name = outputs["namespace"], outputs["name"]
    found = missing_rules(seen)
    try:
        pods = cluster.pods(namespace, name)
        found += _of_workload(cluster.workload(outputs))
    except UnmetError as error:
        return list(dict.fromkeys([*found, str(error), *missing_rules(str(error))]))
    for item in pods:
        if pod in ("", item["metadata"]["name"]):
            found += _of_pod(cluster, item)
    return list(dict.fromkeys(found))


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
    for container in containers(pod):
        log = _log(cluster, pod, container)
        died = container.ended and not _has_done_its_work(container)
        trouble = container.trouble
        if trouble is None and died:
            restarts = container.status["restartCount"]
            trouble = f"it has ended {restarts} times, the last time with {container.how}"
        if trouble:
            shown = f"; its last lines:\n{tail(log)}" if log else ""
            found.append(f"pod {name}: {container}: {trouble}{shown}")
        found += missing_rules(log)
    return found


def _has_done_its_work(container: Container) -> bool:
    return container.role == "init container" and container.ended.get("exitCode") == 0


def _log(cluster: Cluster, pod: Object, container: Container) -> str:
    """The end of a log: of what runs, or of what ran before if it waits to be started again."""
    previous = bool(container.waiting and container.ended)
    if container.waiting and not previous:
        return ""
    try:
        with unmet():
            answer = cluster.core().read_namespaced_pod_log(
                pod["metadata"]["name"],
                pod["metadata"]["namespace"],
                container=container.spec["name"],
                previous=previous,
                tail_lines=_LINES,
                _preload_content=False,
                _request_timeout=20,
            )
    except UnmetError as error:
        return str(error)
    return answer.data.decode(errors="replace").strip()
