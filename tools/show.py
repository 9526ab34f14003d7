"""A table of what a stack runs."""

import json
from typing import Any, cast

import typer

from tools import engine
from tools.errors import CommandError
from tools.target import Target


def show(stack: str, target: Target) -> bool:
    """Print the demos of a stack and how to look at them; True if all are ready."""
    from kubernetes import client, config

    outputs = json.loads(engine.pulumi(stack, "stack", "output", "--json", quiet=True))
    demos: dict[str, dict[str, Any]] = outputs.get("demos", {})
    connection = cast(Any, config).new_client_from_config(target.kubeconfig, context=target.context)
    api = cast(Any, client).CoreV1Api(connection)
    width = max(map(len, [*demos, "demo"]))
    typer.echo(
        f"\n{'demo':{width}}  kind        ready  restarts  QoS         CPU               memory"
    )
    all_ready = True
    for key, demo in demos.items():
        selector = f"app.kubernetes.io/instance={demo['name']}"
        try:
            found = api.list_namespaced_pod(demo["namespace"], label_selector=selector).items
        except Exception as error:
            raise CommandError(f"The pods of {key} can't be listed: {error}") from None
        # What a Deployment has replaced, evicted pods for instance, says nothing of it.
        pods = [
            pod
            for pod in found
            if not pod.metadata.deletion_timestamp
            and (demo["kind"] == "Pod" or pod.status.phase not in ("Failed", "Succeeded"))
        ]
        ready = sum(map(_ready, pods))
        restarts = sum(map(_restarts, pods))
        all_ready = all_ready and bool(pods) and ready == len(pods)
        count = f"{ready}/{len(pods)}"
        # What each pod requests, and its limit.
        requests, limits = demo["requests"], demo["limits"]
        cpu, memory = (f"{requests[name]} to {limits[name]}" for name in ("cpu", "memory"))
        typer.echo(
            f"{key:{width}}  {demo['kind']:10}  {count:5}  {restarts:8}"
            f"  {demo['qosClass']:10}  {cpu:16}  {memory}"
        )
        for command in demo["commands"]:
            typer.echo(f"    {command}")
    return all_ready


def _ready(pod: Any) -> bool:
    conditions: list[Any] = pod.status.conditions or []
    return any(item.type == "Ready" and item.status == "True" for item in conditions)


def _restarts(pod: Any) -> int:
    app: list[Any] = pod.status.container_statuses or []
    init: list[Any] = pod.status.init_container_statuses or []
    return sum(container.restart_count for container in [*app, *init])
