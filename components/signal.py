"""Signal: a sidecar signals the app's process.

Shows a pod whose containers share one process namespace: the sidecar finds the
app among all processes of the pod and sends it HUP.
https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/

Guarantees: the app's main process gets the signal and no other; it gets none
before it handles it, so it is never ended by one; a sender that finds no
target, or may not signal it, says so and goes on.
Leaves out: signals between different users. They need a capability that Pod
Security `restricted` forbids.
"""

from typing import NotRequired

import pulumi

from .messages import check_keys
from .parts import script
from .workload import Pattern, PodTemplate, WorkloadArgs


class SignalArgs(WorkloadArgs):
    """Arguments of Signal."""

    interval_seconds: NotRequired[int]
    """Seconds between two signals. Default 10."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two times the app prints the date. Default 5."""

    message: NotRequired[str]
    """What the app prints when it gets the signal. Default `Received SIGHUP!`."""


def pod(_name: str, args: SignalArgs) -> PodTemplate:
    """The pod of an instance."""
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script(
                "signal-app",
                "main-app",
                args.get("message", "Received SIGHUP!"),
                args.get("app_interval_seconds", 5),
            ),
        },
        sidecars=[
            {
                "name": "signal-sender",
                "image": "shell",
                "command": script(
                    "send-signal",
                    "signal-sender",
                    args.get("interval_seconds", 10),
                    uses=["handled", "target"],
                ),
                # `script` puts the container's name on the app's command line.
                "env": [{"name": "TARGET", "value": "main-app"}],
            }
        ],
        spec={"shareProcessNamespace": True},
    )


class Signal(Pattern):
    """An app that handles HUP, and a sidecar that sends it."""

    def __init__(
        self, name: str, args: SignalArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, SignalArgs)
        super().__init__("sidecar-powers:index:Signal", name, {}, opts)
        self._deploy(
            name,
            "signal",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c main-app -f",
                "kubectl -n {namespace} logs {workload} -c signal-sender -f",
            ],
        )
