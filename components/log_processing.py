"""Log processing: an app logs to a file, its sidecar makes that what a cluster's collector reads.

Shows a volume that both have and a process namespace that both share: the sidecar follows the
file, prints each line as a JSON object with its secrets masked, and rotates: it renames the file,
has the app open it anew with USR1, as logrotate has nginx, and removes what is printed whole.
https://kubernetes.io/docs/concepts/cluster-administration/logging/#sidecar-container-with-logging-agent

Guarantees: no line that the app has written is lost or printed twice, whoever is killed and when,
as long as there is the pod: the sidecar keeps its place, and prints so that whoever comes after it
can tell whether it had printed. A record of more than 4 KiB may be cut off by a kill, and comes
again whole. What is printed is JSON otherwise. The volume holds what isn't printed yet and about
`max_size` more. Told to end, the sidecar goes on until the app is gone and its last line is
printed; a native one is told only then.
Leaves out: an app that never opens its file anew. It is said in the log, and the volume grows up
to its limit. A node that fails: lines may come twice then, with the same `id`.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NotRequired

import pulumi

from .messages import check_keys
from .parts import empty_dir, memory, program, script
from .quantity import parse_quantity, quantity_text
from .workload import Pattern, PodTemplate, WorkloadArgs

LOG = "/var/log/app/app.log"
"""What the app logs to."""

STATE = "/var/lib/log-processor"
"""Where the sidecar keeps its place."""

OUTPUT = "/run/log-processor"
"""Through which it prints, in memory."""

MASKED_KEYS = (
    *("password", "passwd", "secret", "token", "api-key", "access-key", "private-key"),
    "authorization",
)
"""The names whose values are masked unless an argument says others."""

MASKED_KEY = r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?"
"""What such a name is made of."""

SMALLEST, LARGEST = "16Ki", "16Mi"
"""Between which `max_size` may be."""


class LogProcessingArgs(WorkloadArgs):
    """Arguments of LogProcessing."""

    max_size: NotRequired[str]
    """Size from which on the app's file is rotated, a quantity. Default `1Mi`; an error below
    `16Ki` or above `16Mi`. The volume has room for four, and 12Mi for what the app writes while
    the sidecar is away."""

    masked_keys: NotRequired[list[str]]
    """Names whose values are masked, in any case, with `_`, `-` or nothing between their words,
    also at the end of a longer name. Default `password`, `passwd`, `secret`, `token`, `api-key`,
    `access-key`, `private-key`, `authorization`. What follows `Bearer`, and user and password in a
    URL or a user alone, are masked besides."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks at the app's file, and so until a line is printed. Default 1."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two lines of the app. Default 10."""


def rotated_at(args: LogProcessingArgs) -> int:
    """`max_size` in bytes. Raises ValueError for one that isn't allowed."""
    size = args.get("max_size", "1Mi")
    if not parse_quantity(SMALLEST) <= parse_quantity(size) <= parse_quantity(LARGEST):
        raise ValueError(f"max_size: found {size!r}, allowed is {SMALLEST} to {LARGEST}")
    return int(parse_quantity(size))


def room(args: LogProcessingArgs) -> Decimal:
    """Bytes that the volume of the app's file may take."""
    return 4 * Decimal(rotated_at(args)) + parse_quantity("12Mi")


def names_pattern(keys: Sequence[str]) -> str:
    """What matches these names in lower-case text. Raises ValueError for what is no name."""
    if not keys:
        raise ValueError("masked_keys: found none, allowed is at least one name")
    for key in keys:
        if not re.fullmatch(MASKED_KEY, key):
            raise ValueError(
                f"masked_keys: found {key!r}, allowed are names of A-Z a-z 0-9 with _ or - between"
            )
    return "|".join(re.sub("[-_]+", "[-_]?", key.lower()) for key in keys)


def pod(_name: str, args: LogProcessingArgs) -> PodTemplate:
    """The pod of an instance."""
    logs = {"name": "logs", "mountPath": LOG.rpartition("/")[0]}
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script("write-log", "main-app", LOG, args.get("app_interval_seconds", 10)),
            "volumeMounts": [logs],
        },
        sidecars=[
            {
                "name": "log-processor",
                "image": "python",
                "command": program(
                    *("process-log", "log-processor", LOG, STATE, OUTPUT, rotated_at(args)),
                    args.get("interval_seconds", 1),
                    names_pattern(args.get("masked_keys", MASKED_KEYS)),
                ),
                "env": [{"name": "TARGET", "value": "main-app"}],
                "volumeMounts": [
                    logs,
                    {"name": "state", "mountPath": STATE},
                    {"name": "output", "mountPath": OUTPUT},
                ],
            }
        ],
        volumes=[
            empty_dir("logs", quantity_text("memory", room(args))),
            empty_dir("state", "4Mi"),
            memory("output", "1Mi"),
        ],
        spec={"shareProcessNamespace": True},
    )


class LogProcessing(Pattern):
    """An app that logs to a file, and a sidecar that prints it as JSON and rotates it."""

    def __init__(
        self, name: str, args: LogProcessingArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, LogProcessingArgs)
        super().__init__("sidecar-powers:index:LogProcessing", name, {}, opts)
        self._deploy(
            name,
            "log-processing",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c log-processor -f",
                "kubectl -n {namespace} exec {workload} -c main-app -- tail -n 3 " + LOG,
            ],
        )
