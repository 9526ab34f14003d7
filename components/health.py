"""Health: the sidecar asks the app whether it answers, writes down how it is, and restarts it.

Shows a sidecar that probes over localhost and acts by signals: an app that is slow or silent
gets one dump of its processes, taken while it still is; one that stays silent gets its main
process ended, and the kubelet starts that container again, alone.
https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/

Guarantees: one dump an occurrence, one restart a hang, also when the sidecar is killed in the
middle; the dump outlasts the restart; an app that never answered yet gets its time; restarts keep
a growing distance and a budget, after which the sidecar only reports; an app that is slow is
never restarted for it, and neither is one whose pod is being ended. Readiness is the kubelet's,
and a failing sidecar takes no pod out of service.
Leaves out: a livenessProbe. It would restart the container before it is looked at, and beyond any
budget. And the stacks inside a runtime, which only the app can show: it gets a signal to do so.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from typing import NotRequired

import pulumi

from .messages import any_of, check_keys
from .parts import empty_dir, program, script
from .workload import Pattern, PodTemplate, WorkloadArgs

DUMPS = "/dumps"
"""Where the sidecar puts its dumps."""

RECORDS = "/records"
"""Where the sidecar has its status, and what must outlast it."""

DUMP_SIGNALS = ["USR1", "USR2", "HUP"]
"""What may ask an app for its own dump: the others end nginx's image, or an app by default."""

MOST_DUMPS = 50
"""What fits its volume: no dump is larger than 256 KiB."""


class HealthArgs(WorkloadArgs):
    """Arguments of Health."""

    port: NotRequired[int]
    """TCP port that the app answers at, named `http`. Default 8080."""

    interval_seconds: NotRequired[int]
    """Seconds from one probe to the next. Default 10."""

    slow_seconds: NotRequired[int]
    """Seconds after which an answer is slow: the app gets a dump. Default 2."""

    probe_timeout_seconds: NotRequired[int]
    """Seconds after which there is no answer: the probe has failed. Default 3 more than
    `slow_seconds`; an error unless it is more."""

    failure_threshold: NotRequired[int]
    """Failed probes in a row that mean a restart, and good ones in a row that end an occurrence.
    Default 3."""

    start_seconds: NotRequired[int]
    """Seconds that an app has for its first answer before failed probes count. Default 60."""

    stop_seconds: NotRequired[int]
    """Seconds from TERM to KILL. Default 5."""

    backoff_seconds: NotRequired[int]
    """Seconds from the first restart to the second at least, twice as many to each further one.
    Default 60."""

    restart_budget: NotRequired[int]
    """Restarts within `budget_seconds`, after which the sidecar only reports. Default 3; 0 means
    that it never restarts anything."""

    budget_seconds: NotRequired[int]
    """Seconds after which a restart counts no more. Default 3600."""

    dump_signal: NotRequired[str]
    """Signal at which the app dumps itself: `USR1` (default), `USR2` or `HUP`. It is sent only if
    the app handles it."""

    max_dumps: NotRequired[int]
    """Dumps that are kept, the newest. Default 5; an error above 50."""


def pod(_name: str, args: HealthArgs) -> PodTemplate:
    """The pod of an instance. Raises ValueError for arguments that contradict each other."""
    port, dump_signal = args.get("port", 8080), args.get("dump_signal", "USR1")
    slow = args.get("slow_seconds", 2)
    timeout = args.get("probe_timeout_seconds", slow + 3)
    dumps = args.get("max_dumps", 5)
    if timeout <= slow:
        allowed = f"more than slow_seconds, {slow}"
        raise ValueError(f"probe_timeout_seconds: found {timeout}, allowed is {allowed}")
    if dump_signal not in DUMP_SIGNALS:
        allowed = any_of(DUMP_SIGNALS, dump_signal)
        raise ValueError(f"dump_signal: found {dump_signal!r}, allowed is {allowed}")
    if not 1 <= dumps <= MOST_DUMPS:
        raise ValueError(f"max_dumps: found {dumps}, allowed is 1 to {MOST_DUMPS}")
    # `script` puts the container's name on the app's command line; the environment keeps it off the
    # sidecar's own.
    patience = {
        "TARGET": "main-app",
        "SLOW_SECONDS": slow,
        "PROBE_TIMEOUT_SECONDS": timeout,
        "FAILURE_THRESHOLD": args.get("failure_threshold", 3),
        "START_SECONDS": args.get("start_seconds", 60),
        "STOP_SECONDS": args.get("stop_seconds", 5),
        "BACKOFF_SECONDS": args.get("backoff_seconds", 60),
        "RESTART_BUDGET": args.get("restart_budget", 3),
        "BUDGET_SECONDS": args.get("budget_seconds", 3600),
        "DUMP_SIGNAL": dump_signal,
        "MAX_DUMPS": dumps,
    }
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "nginx",
            "command": script("serve-observed", "main-app", port, dump_signal, uses=["nginx"]),
            "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        },
        sidecars=[
            {
                "name": "health-keeper",
                "image": "python",
                "command": program(
                    "keep-healthy",
                    "health-keeper",
                    f"http://127.0.0.1:{port}/",
                    RECORDS,
                    DUMPS,
                    args.get("interval_seconds", 10),
                ),
                "env": [{"name": name, "value": str(patience[name])} for name in patience],
                # The pod's containers are told at once that it ends, a native sidecar's process
                # only when the app has ended: until then the app may drain, and not answer.
                "lifecycle": {
                    "preStop": {"exec": {"command": ["/bin/sh", "-c", f">{RECORDS}/leaving"]}}
                },
                "volumeMounts": [
                    {"name": "records", "mountPath": RECORDS},
                    {"name": "dumps", "mountPath": DUMPS},
                ],
            }
        ],
        volumes=[
            empty_dir("tmp", "16Mi"),
            empty_dir("records", "1Mi"),
            empty_dir("dumps", "16Mi"),
        ],
        spec={"shareProcessNamespace": True},
    )


class Health(Pattern):
    """nginx, and a sidecar that keeps it answering."""

    def __init__(
        self, name: str, args: HealthArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, HealthArgs)
        super().__init__("sidecar-powers:index:Health", name, {}, opts)
        self._deploy(
            name,
            "health",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} exec {workload} -c health-keeper -- cat /records/status",
                "kubectl -n {namespace} exec {workload} -c health-keeper -- ls -l /dumps",
                "kubectl -n {namespace} logs {workload} -c health-keeper -f",
            ],
        )
