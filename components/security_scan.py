"""Security scan: a sidecar finds what nobody published in the app's volume.

Shows files that Pulumi owns in a ConfigMap, updated in place; a publisher that brings them into a
volume which the app may write to; and a scanner that compares both every few seconds: files that
are added, changed or removed, their kind, mode, owner and links.

Guarantees: a change that lasts is found within one interval and said once. The baseline is the
ConfigMap, which only the sidecars mount, and read-only; what the scanner notes of it is in a volume
of its own; no container sees another's processes, so the app reaches neither. What is being
published is no finding, nor what is left of it midway: the publisher begins once the scanner knows
a version, and former files are allowed until it says, where the app can't, that the new ones are
all there, or has had two minutes for that. With `action: signal` the app's own container signals
the app, once for each new finding and not before the app handles it.
Leaves out: prevention (an app that need not write should have a read-only mount), what is changed
back between two scans, and what happens in memory.
https://kubernetes.io/docs/tasks/configure-pod-container/share-process-namespace/
"""

import re
from typing import NotRequired

import pulumi

from .manifest import Object, register
from .messages import any_of, check_keys
from .parts import empty_dir, labels_of, once, program, script
from .workload import Pattern, PodTemplate, WorkloadArgs

SOURCE = "/etc/published"
"""Where both sidecars have the ConfigMap."""

CONTENT = "/srv/app"
"""Where the files are: writable for app and publisher, not for the scanner."""

BASELINE = "/baseline"
"""Where the scanner alone has its notes of what may be there."""

VERDICT = "/verdict"
"""Where the scanner leaves `findings` and `status`."""

PUBLISHER = "/publisher"
"""Where the scanner has the publisher's /tmp, to read there which version is `done`."""

FILE_NAME = r"(?!\.\.)(?!\.$)[-._a-zA-Z0-9]+"
"""A ConfigMap's key, of at most 253 characters."""

ACTIONS = ("report", "signal")
SIGNALS = ("HUP", "USR1", "USR2")
"""The signals that are free for an app's own purposes."""

_FILES = {"app.conf": "greeting = Hello\n", "index.html": "<h1>Hello</h1>\n"}


class SecurityScanArgs(WorkloadArgs):
    """Arguments of SecurityScan."""

    files: NotRequired[dict[str, str]]
    """What is published: text by file name, which may have letters, digits, `-`, `_` and `.`.
    Default: a configuration and a page. https://kubernetes.io/docs/concepts/configuration/configmap/"""

    action: NotRequired[str]
    """What becomes of a finding: `report` (default) says it; `signal` also signals the app."""

    signal: NotRequired[str]
    """What the app gets: `HUP`, `USR1` (default) or `USR2`. An error without `action: signal`."""

    interval_seconds: NotRequired[int]
    """Seconds between two scans. Default 10."""

    size_limit: NotRequired[str]
    """Size of the volume with the files, a quantity. Default `16Mi`."""


def pod(name: str, args: SecurityScanArgs) -> PodTemplate:
    """The pod of an instance, whose ConfigMap has its name. Raises ValueError for wrong args."""
    _check(args)
    interval, signal = args.get("interval_seconds", 10), args.get("signal", "USR1")
    signals = args.get("action", "report") == "signal"
    source = {"name": "published", "mountPath": SOURCE, "readOnly": True}
    content = {"name": "content", "mountPath": CONTENT}
    verdict = {"name": "verdict", "mountPath": VERDICT}
    command = script("use-files", "main-app", CONTENT, signal, 10)
    mounts: list[Object] = [content]
    if signals:
        heed = ("heed-verdict", "main-app", VERDICT, signal, interval)
        command = script(*heed, *command, uses=["watch", "handled"])
        mounts += [{**verdict, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}]
    return PodTemplate(
        app={"name": "main-app", "image": "shell", "command": command, "volumeMounts": mounts},
        sidecars=[
            {
                "name": "scanner",
                "image": "python",
                "command": program(
                    *("scan-volume", "scanner", SOURCE, CONTENT, BASELINE, VERDICT),
                    *(f"{PUBLISHER}/done", interval),
                ),
                "startupProbe": once(f"{VERDICT}/status"),
                "volumeMounts": [
                    source,
                    {**content, "readOnly": True},
                    {"name": "publisher-tmp", "mountPath": PUBLISHER, "readOnly": True},
                    {"name": "baseline", "mountPath": BASELINE},
                    verdict,
                ],
            },
            {
                "name": "publisher",
                "image": "python",
                "command": program(
                    "publish-files", "publisher", SOURCE, CONTENT, f"{VERDICT}/version", interval
                ),
                # The app starts once all files are there.
                "startupProbe": once("/tmp/done"),
                "volumeMounts": [
                    source,
                    content,
                    {**verdict, "readOnly": True},
                    {"name": "publisher-tmp", "mountPath": "/tmp"},
                ],
            },
        ],
        volumes=[
            {"name": "published", "configMap": {"name": name}},
            empty_dir("content", args.get("size_limit", "16Mi")),
            *(empty_dir(own, "16Mi") for own in ("baseline", "publisher-tmp")),
            empty_dir("verdict", "1Mi"),
            *([empty_dir("tmp", "1Mi")] if signals else []),
        ],
    )


def _check(args: SecurityScanArgs) -> None:
    """Raise ValueError for arguments that don't fit."""
    action, signal = args.get("action", "report"), args.get("signal")
    if action not in ACTIONS:
        raise ValueError(f"action: found {action!r}, allowed is {any_of(ACTIONS, action)}")
    if signal is not None and (signal not in SIGNALS or action != "signal"):
        allowed = f"{any_of(SIGNALS, signal)}, with action signal"
        raise ValueError(f"signal: found {signal!r}, allowed is {allowed}")
    for name in args.get("files", {}):
        if not re.fullmatch(FILE_NAME, name) or len(name) > 253:
            allowed = "a plain name of A-Z a-z 0-9 - _ ., not with .. first"
            raise ValueError(f"files: found {name!r}, allowed is {allowed}")


class SecurityScan(Pattern):
    """An app that may write to its files, and a scanner that says what nobody published."""

    def __init__(
        self, name: str, args: SecurityScanArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, SecurityScanArgs)
        template = pod(name, args)
        super().__init__("sidecar-powers:index:SecurityScan", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ConfigMap

        metadata = {
            "name": name,
            "namespace": args.get("namespace", "default"),
            "labels": labels_of(name, "security-scan"),
        }
        data = {"metadata": metadata, "data": args.get("files", _FILES)}
        config_map = register(ConfigMap, name, data, pulumi.ResourceOptions(parent=self))
        self._deploy(
            name,
            "security-scan",
            template,
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c scanner -f",
                "kubectl -n {namespace} logs {workload} -c main-app -f",
            ],
            depends_on=[config_map],
        )
