"""What of a stack is on the cluster, and whether that is all of it and nothing else."""

import json
import subprocess
import time
from typing import Any

from tests.cluster.project import Object, Project
from tools import engine
from tools.render import render

SETTLE_S = 20
"""In which pods that were told to end are gone, and what they belonged to is collected."""

_OF_A_NAMESPACE = {"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"}
"""What every namespace has."""


def identity(item: Object) -> str:
    """Kind, namespace and name."""
    metadata = item["metadata"]
    place = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{item['kind']}/{place}{metadata['name']}"


def live(project: Project) -> list[Object]:
    """Every object of any kind whose name or namespace begins with the stack's name."""
    kinds = _kubectl(project, "api-resources", "--verbs=list", "--output=name").split()
    # Events outlive what they tell of.
    wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
    text = _kubectl(project, "get", wanted, "--all-namespaces", "--output=json")
    items: list[Object] = json.loads(text)["items"]
    return [item for item in items if _belongs(project, item["metadata"])]


def assert_converged(project: Project) -> None:
    """The objects are those that render prints, all pods ready, and an up changes nothing."""
    end = time.monotonic() + SETTLE_S
    while (found := problems(project)) and time.monotonic() < end:
        time.sleep(2)
    assert found == []
    project.up("--refresh", "--expect-no-changes")


def ownerless(objects: list[Object]) -> list[Object]:
    """Those that somebody declared: neither made for another object nor for a namespace."""
    return [
        item
        for item in objects
        if not item["metadata"].get("ownerReferences")
        # Every Service has one, without a word of whose it is.
        and item["kind"] != "Endpoints"
        and f"{item['kind']}/{item['metadata']['name']}" not in _OF_A_NAMESPACE
    ]


def problems(project: Project) -> list[str]:
    """What is left over, missing, not ready or has restarted, a line each."""
    rendered = [item.object for item in render(engine.LOCAL, config=project.config)]
    objects = live(project)
    expected, own = set(map(identity, rendered)), set(map(identity, ownerless(objects)))
    uids = {item["metadata"]["uid"] for item in objects}
    found = [f"{name} is left over" for name in sorted(own - expected)]
    found += [f"{name} is missing" for name in sorted(expected - own)]
    for item in objects:
        metadata = item["metadata"]
        if "deletionTimestamp" in metadata:
            found.append(f"{identity(item)} is being deleted")
        if not uids.issuperset(owner["uid"] for owner in metadata.get("ownerReferences", [])):
            found.append(f"{identity(item)} has lost its owner")
    pods = [item for item in objects if item["kind"] == "Pod"]
    found += [f"{identity(pod)} {wrong}" for pod in pods for wrong in _wrong(pod)]
    deployments = [item for item in rendered if item["kind"] == "Deployment"]
    replicas = sum(item["spec"]["replicas"] for item in deployments)
    serving = [
        item for item in objects if item["kind"] == "ReplicaSet" and item["spec"]["replicas"]
    ]
    if len(serving) != len(deployments):
        found.append(f"{len(serving)} ReplicaSets have pods, {len(deployments)} should")
    wanted = replicas + sum(item["kind"] == "Pod" for item in rendered)
    if len(pods) != wanted:
        found.append(f"there are {len(pods)} pods, there should be {wanted}")
    return found


def _wrong(pod: Object) -> list[str]:
    status = pod["status"]
    conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
    found = [] if conditions.get("Ready") == "True" else ["is not ready"]
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind, []):
            if container["restartCount"]:
                found.append(f"has restarted {container['name']}")
    return found


def _belongs(project: Project, metadata: Object) -> bool:
    return metadata.get("namespace", metadata["name"]).startswith(project.stack)


def _kubectl(project: Project, *words: str) -> str:
    done: Any = subprocess.run(
        ["kubectl", *words], env=project.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
