"""Resource: containers share a pod, each within its own CPU and memory.

Shows a busy sidecar beside a web server: the load generator wants all the CPU
there is and is throttled at its own limit, while the app answers as before. A
monitor prints the processes of all containers.

Guarantees: the QoS class follows from requests and limits and is an output;
with the defaults, those of the article, it is Burstable.
Leaves out: changing the limits of a running pod (see resize.py).
"""

from typing import NotRequired

import pulumi

from .manifest import Object
from .messages import check_keys
from .parts import empty_dir, nginx, script
from .workload import Pattern, PodTemplate, Resources, WorkloadArgs


class ResourceArgs(WorkloadArgs):
    """Arguments of Resource."""

    interval_seconds: NotRequired[int]
    """Seconds between two process lists. Default 5."""

    port: NotRequired[int]
    """TCP port that nginx listens at. Default 8080."""

    load_workers: NotRequired[int]
    """Processes that generate load at a time. Default 4; 0 leaves the load generator out."""


def _resources(
    request_cpu: str, request_memory: str, limit_cpu: str, limit_memory: str
) -> Resources:
    return {
        "requests": {"cpu": request_cpu, "memory": request_memory},
        "limits": {"cpu": limit_cpu, "memory": limit_memory},
    }


def pod(_name: str, args: ResourceArgs) -> PodTemplate:
    """The pod of an instance."""
    workers = args.get("load_workers", 4)
    load_generator: Object = {
        "name": "load-generator",
        "image": "shell",
        "command": script("generate-load", "load-generator", workers),
        "resources": _resources("100m", "32Mi", "200m", "64Mi"),
    }
    app = nginx("main-app", "/usr/share/nginx/html", args.get("port", 8080))
    return PodTemplate(
        app={**app, "resources": _resources("250m", "64Mi", "500m", "128Mi")},
        sidecars=[
            {
                "name": "resource-monitor",
                "image": "shell",
                "command": script("monitor", "resource-monitor", args.get("interval_seconds", 5)),
                "resources": _resources("100m", "32Mi", "200m", "64Mi"),
            },
            *([load_generator] if workers > 0 else []),
        ],
        volumes=[empty_dir("tmp", "16Mi")],
        spec={"shareProcessNamespace": True},
    )


class Resource(Pattern):
    """A web server, a load generator and a monitor, each within its limits."""

    def __init__(
        self, name: str, args: ResourceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, ResourceArgs)
        super().__init__("sidecar-powers:index:Resource", name, {}, opts)
        self._deploy(
            name,
            "resource",
            pod(name, args),
            args,
            commands=["kubectl -n {namespace} logs {workload} -c resource-monitor -f"],
        )
