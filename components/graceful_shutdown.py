"""Graceful shutdown: a pod goes without losing a request, and a sidecar reports in which order.

Shows a preStop hook that says `draining` and waits until nobody sends new clients here; a sidecar
that at once answers /ready no more, counts what is in flight, and outlives the app, so that it can
tell how that ended; and an app that finishes its requests before it ends.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination

Guarantees: a rolling update loses no request, short or long, as long as each takes no more than
pre_stop_seconds and drain_seconds together; what takes longer is cut off, and the sidecar says so.
The order is unready, hook, requests, app, sidecar, and all of it fits the grace period, or the
arguments are refused. Hook and app need no sidecar: without one, only the report is missing.
The Service leaves out pods that end by itself. The kubelet believes the sidecar only when the hook
is all but over: until then the pod takes what no other can, so the only pod may go as well.
https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-to-terminating-endpoints
Leaves out: a node that fails, which drains nothing; who may reach the Service is the namespace's.
"""

from typing import NotRequired

import pulumi

from .manifest import Object, register
from .messages import check_keys
from .parts import DRAIN, empty_dir, labels_of, program, script, selector_of
from .workload import Pattern, PodTemplate, WorkloadArgs

STATE = "/drain"
"""Where hook, app and sidecar tell each other how far they are."""

READY_PORT = 8998
"""Where the sidecar answers /ready, and /in-flight."""

END_SECONDS = 5
"""What the sidecars have to end after the app, of the same grace period."""

DEFAULTS = {"pre_stop_seconds": 5, "drain_seconds": 15, "grace_period_seconds": 30}

_READY_SECONDS = 2
"""Between two questions of the kubelet."""


class GracefulShutdownArgs(WorkloadArgs):
    """Arguments of GracefulShutdown."""

    pre_stop_seconds: NotRequired[int]
    """Seconds in which the app still takes new requests after the pod is told to end, for
    whoever hasn't heard of it. Default 5."""

    drain_seconds: NotRequired[int]
    """Seconds that requests in flight then have at most. Default 15."""

    grace_period_seconds: NotRequired[int]
    """Seconds after which what still runs is killed. Default 30; an error below
    pre_stop_seconds, drain_seconds and 5 more for the sidecars together."""

    port: NotRequired[int]
    """TCP port of the app and its Service, named `http`. Default 8080; an error with 8998, where
    the sidecar answers /ready."""

    slow_seconds: NotRequired[int]
    """Seconds that the answer to /slow takes. Default 5."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks of the sidecar without being told of a change. Default 60; while
    the pod drains it looks every second."""


def grace_period(pre_stop: int, drain: int, grace: int) -> int:
    """The grace period. Raises ValueError for one that is shorter than what must fit into it."""
    needed = pre_stop + drain + END_SECONDS
    if grace < needed:
        parts = f"{pre_stop} for preStop, {drain} to drain, {END_SECONDS} for the sidecars"
        raise ValueError(f"found {grace}, allowed is at least {needed}: {parts}")
    return grace


def seconds(args: GracefulShutdownArgs) -> tuple[int, int, int]:
    """How long hook and draining take at most, and the grace period."""
    pre_stop, drain, grace = (args.get(key, DEFAULTS[key]) for key in DEFAULTS)
    return pre_stop, drain, grace


def pod(_name: str, args: GracefulShutdownArgs) -> PodTemplate:
    """The pod of an instance."""
    pre_stop, drain, grace = seconds(args)
    port, slow = args.get("port", 8080), args.get("slow_seconds", 5)
    interval = args.get("interval_seconds", 60)
    state = {"name": "state", "mountPath": STATE}
    # It waits by itself, so it takes its time and no more, whoever is there to hear it.
    hook = f"echo draining >{STATE}/draining; sleep {pre_stop}"
    wait = {"preStop": {"exec": {"command": ["/bin/sh", "-c", f"sleep {pre_stop}"]}}}
    keeper: Object = {
        "name": "drain-keeper",
        "image": "python",
        "command": program("keep-drain", "drain-keeper", STATE, port, READY_PORT, drain, interval),
        "ports": [{"name": "ready", "containerPort": READY_PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "ready"},
            "periodSeconds": _READY_SECONDS,
            # Believed a second before the hook is over, so that proxies hear of it in time.
            "failureThreshold": max(1, (pre_stop - 1) // _READY_SECONDS),
        },
        "volumeMounts": [state],
    }
    if args.get("sidecars") == "classic":
        # Told to end with the app and not after it; by then it knows that the pod drains.
        keeper["lifecycle"] = wait
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "nginx",
            "command": script(
                "serve-drained", "main-app", STATE, port, slow, drain, uses=["nginx"]
            ),
            "ports": [{"name": "http", "containerPort": port}],
            "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", hook]}}},
            "readinessProbe": {
                "httpGet": {"path": "/", "port": "http"},
                "periodSeconds": 5,
            },
            "volumeMounts": [state, {"name": "tmp", "mountPath": "/tmp"}],
        },
        sidecars=[keeper],
        volumes=[empty_dir("state", "1Mi"), empty_dir("tmp", "16Mi")],
        spec={"terminationGracePeriodSeconds": grace},
        annotations={DRAIN: str(drain)},
    )


class GracefulShutdown(Pattern):
    """nginx behind a Service, and a sidecar that reports how a pod of it drains."""

    def __init__(
        self, name: str, args: GracefulShutdownArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, GracefulShutdownArgs)
        try:
            grace_period(*seconds(args))
        except ValueError as error:
            raise ValueError(f"grace_period_seconds: {error}") from None
        port = args.get("port", 8080)
        if port == READY_PORT:
            raise ValueError(f"port: found {port}, allowed is any other")
        super().__init__("sidecar-powers:index:GracefulShutdown", name, {}, opts)
        from pulumi_kubernetes.core.v1 import Service

        metadata = {
            "name": name,
            "namespace": args.get("namespace", "default"),
            "labels": labels_of(name, "graceful-shutdown"),
        }
        spec: Object = {
            "selector": selector_of(name, "graceful-shutdown"),
            "ports": [{"name": "http", "port": port, "targetPort": "http"}],
        }
        manifest = {"metadata": metadata, "spec": spec}
        register(Service, name, manifest, pulumi.ResourceOptions(parent=self))
        self._deploy(
            name,
            "graceful-shutdown",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c drain-keeper -f",
                f"kubectl -n {{namespace}} port-forward {{workload}} 8080:{port}",
                "curl http://localhost:8080/slow",
            ],
        )
