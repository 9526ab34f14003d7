"""Resize: a sidecar fits the CPU of the running app to what the app uses.

Shows a pod that resizes itself in place: the sidecar reads in /proc what the app's processes use,
and sets the app's request and limit through the pod's subresource `resize`. The kubelet changes
the app's cgroup while it runs.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/

Guarantees: the app is never restarted for it, and never has less than `min_cpu` or more than
`max_cpu`: the API server itself admits nothing else (see pod_resizer.py). What it refuses, and
what the kubelet puts off, is logged and tried again. The pod starts with the most, so that it
only ever asks for what the scheduler and the quota have admitted once. The template stays as it
is: Pulumi finds nothing to do, and a change in the stack's file is a rollout.
Leaves out: memory. What an app holds says little of what it needs, and whether a limit can be
lowered is seen only when it is tried.
"""

from typing import NotRequired

import pulumi

from .messages import check_keys
from .own_pod import CREDENTIALS, OWN_NAME, TOKEN_MOUNT, TOKEN_VOLUME
from .parts import API_ACCESS, OTHER_USER, program, script
from .pod_resizer import PodResizer, PodResizerArgs, cpu_bounds
from .workload import Pattern, PodTemplate, WorkloadArgs

RESIZED = [f"spec.containers[0].resources.{part}.cpu" for part in ("limits", "requests")]
"""What the sidecar changes of its pod; the app comes first."""


_LIMIT = {"containerName": "main-app", "resource": "limits.cpu", "divisor": "1m"}
"""What the app may take when the sidecar starts."""


class ResizeArgs(WorkloadArgs):
    """Arguments of Resize."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks at what the app uses. Default 10."""

    min_cpu: NotRequired[str]
    """The least CPU that the app gets, a quantity of at least `10m`. Default `50m`, or `max_cpu`
    if that is less."""

    max_cpu: NotRequired[str]
    """The most CPU that the app gets, and what it starts with. Default `200m`, or `min_cpu` if that
    is more. CPU of the app among the `resources` is an error: these two say it."""

    headroom_percent: NotRequired[int]
    """What the app gets beyond what it uses, in percent of that, at least 10. Default 50."""

    load_seconds: NotRequired[int]
    """Seconds for which the app is busy, and for which it is quiet then. Default 60."""

    service_account: NotRequired[str]
    """Name of the RBAC bundle's objects. Default `pod-resizer`."""

    admission_policy: NotRequired[bool]
    """Hold the sidecar to its own pod, the app's CPU and the bounds, whatever RBAC lets it
    resize. Default true; false for those who may not create cluster-scoped objects."""


def pod(_name: str, args: ResizeArgs) -> PodTemplate:
    """The pod of an instance."""
    least, most = cpu_bounds(args.get("min_cpu"), args.get("max_cpu"))
    given = args.get("resources", {}).get("main-app", {})
    if "cpu" in {**given.get("requests", {}), **given.get("limits", {})}:
        raise ValueError("resources.main-app: found cpu, allowed is to say min_cpu and max_cpu")
    # Equal ones keep the pod's QoS class whatever they are, and the node what the app may take.
    cpu = {"cpu": f"{most}m"}
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script("alternate-load", "main-app", args.get("load_seconds", 60)),
            "resources": {"requests": cpu, "limits": cpu},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
        },
        sidecars=[
            {
                "name": "resizer",
                "image": "python",
                "command": program(
                    "resize-pod",
                    "resizer",
                    least,
                    most,
                    args.get("headroom_percent", 50),
                    args.get("interval_seconds", 10),
                    CREDENTIALS,
                ),
                # `script` puts the container's name on the app's command line.
                "env": [
                    *OWN_NAME,
                    {"name": "MEASURED", "value": "main-app"},
                    {"name": "CPU_LIMIT", "valueFrom": {"resourceFieldRef": _LIMIT}},
                ],
                # Whoever gets into the app finds no token behind /proc either.
                "securityContext": {"runAsUser": OTHER_USER},
                "volumeMounts": [TOKEN_MOUNT],
            }
        ],
        volumes=[TOKEN_VOLUME],
        spec={
            "shareProcessNamespace": True,
            "serviceAccountName": args.get("service_account", "pod-resizer"),
        },
        labels=API_ACCESS,
    )


class Resize(Pattern):
    """An app that is busy by turns, and a sidecar that fits its CPU to what it uses."""

    def __init__(
        self, name: str, args: ResizeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, ResizeArgs)
        template = pod(name, args)
        super().__init__("sidecar-powers:index:Resize", name, {}, opts)
        least, most = cpu_bounds(args.get("min_cpu"), args.get("max_cpu"))
        bundle: PodResizerArgs = {
            "namespace": args.get("namespace", "default"),
            "name": args.get("service_account", "pod-resizer"),
            "min_cpu": f"{least}m",
            "max_cpu": f"{most}m",
            "admission_policy": args.get("admission_policy", True),
        }
        if args.get("workload") == "pod":
            bundle["pod_name"] = name
        resizer = PodResizer(f"{name}-resizer", bundle, opts=pulumi.ResourceOptions(parent=self))
        column = "CPU:.status.containerStatuses[0].resources.limits.cpu"
        self._deploy(
            name,
            "resize",
            template,
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c resizer -f",
                "kubectl -n {namespace} get pods -l app.kubernetes.io/instance={name}"
                f" -o custom-columns=POD:.metadata.name,{column} --watch",
            ],
            ignore_changes=RESIZED,
            depends_on=[resizer],
        )
