"""Debug: a toolbox beside the app, for as long as somebody needs it.

Shows a sidecar with tools that the app's image lacks. It sees the app's
processes, open files and limits, and traces it where the node's policy allows;
at its deadline it ends whatever runs in it, and idles.
https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/

Guarantees: without `toolbox: true` nobody sees the app, since there is neither a
toolbox nor a shared process namespace; a toolbox needs no capability, no other
user, and no token; nothing that runs in it outlives the deadline by more than
the interval and 3 s, also when the toolbox was started again meanwhile; the app
goes on, also if it was being traced, or was stopped.
Leaves out: who may begin a session. That is RBAC's to say (`pods/exec`), and no
container's. The deadline is against forgetting: who has a session has the user
of the program that keeps it, and can stop it.
"""

from typing import NotRequired

import pulumi

from .manifest import Object
from .messages import check_keys
from .parts import empty_dir, memory, program, script
from .workload import Pattern, PodTemplate, WorkloadArgs

FILE = "/data/held"
"""The file that the app has open."""

INTERVAL, DEADLINE = 10, 3600


class DebugArgs(WorkloadArgs):
    """Arguments of Debug."""

    toolbox: NotRequired[bool]
    """Whether there is a toolbox. Default false: with it, whoever may `exec` into the pod reads
    the environment, the memory and the files of all its containers, mounted secrets too."""

    deadline_seconds: NotRequired[int]
    """Age of the pod in seconds at which the toolbox ends its sessions. Default 3600; an error
    without `toolbox`."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks of the toolbox for sessions after its deadline. Default 10."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two times the app prints the date. Default 5."""


def _toolbox(args: DebugArgs) -> Object:
    return {
        "name": "toolbox",
        "image": "toolbox",
        "command": program(
            "keep-toolbox",
            "toolbox",
            args.get("deadline_seconds", DEADLINE),
            args.get("interval_seconds", INTERVAL),
        ),
        # `script` puts the container's name on the app's command line.
        "env": [{"name": "TARGET", "value": "main-app"}],
        # An image's own directory may be closed to this user.
        "workingDir": "/tmp",
        # A tracer that is throttled holds up what it traces.
        "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "toolbox-tmp", "mountPath": "/tmp"}],
    }


def pod(_name: str, args: DebugArgs) -> PodTemplate:
    """The pod of an instance. Raises ValueError for a deadline of nothing."""
    toolbox = args.get("toolbox", False)
    if not toolbox and "deadline_seconds" in args:
        found = args["deadline_seconds"]
        raise ValueError(f"deadline_seconds: found {found}, allowed is with toolbox true")
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script("hold-file", "main-app", FILE, args.get("app_interval_seconds", 5)),
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
        sidecars=[_toolbox(args)] if toolbox else [],
        volumes=[
            empty_dir("data", "1Mi"),
            # A session that fills a disk would get the pod evicted; this one is just full.
            *([memory("toolbox-tmp", "16Mi")] if toolbox else []),
        ],
        spec={"shareProcessNamespace": True} if toolbox else {},
    )


class Debug(Pattern):
    """An app, and beside it, if wanted, a toolbox that sees and traces it for a while."""

    def __init__(
        self, name: str, args: DebugArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, DebugArgs)
        super().__init__("sidecar-powers:index:Debug", name, {}, opts)
        execute = "kubectl -n {namespace} exec {workload} -c toolbox --"
        looks = [
            "kubectl -n {namespace} logs {workload} -c toolbox",
            # What the project's own containers run stands in their arguments.
            f'{execute} sh -c "ps -o pid,stat,args | cut -c -60"',
        ]
        self._deploy(
            name,
            "debug",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c main-app -f",
                *(looks if args.get("toolbox", False) else []),
            ],
        )
