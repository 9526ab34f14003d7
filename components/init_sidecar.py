"""Init sidecar: a configuration is there before the app, and changes under it.

Shows an init container that prepares a file before the app starts, and a
sidecar that rewrites it while the app runs. Both run the same script.

Guarantees: the app never starts without the initial configuration; it sees
that one first, in either form of sidecar, if it starts within one interval,
since the updater waits that long before it rewrites; a reader gets the old text
or the new one, never a part; the app can't write to the volume.
Leaves out: telling the app of a change. It reads the file again by itself.
"""

from typing import NotRequired

import pulumi

from .manifest import Object
from .messages import check_keys
from .parts import empty_dir, script
from .workload import Pattern, PodTemplate, WorkloadArgs

APP_DIRECTORY = "/app"
"""Where the app has the volume."""


class InitSidecarArgs(WorkloadArgs):
    """Arguments of InitSidecar."""

    interval_seconds: NotRequired[int]
    """Seconds before the first rewrite, and between two. Default 60."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two times the app prints its configuration. Default 30."""

    initial_text: NotRequired[str]
    """The first configuration. Default `Initial config`."""

    updated_text: NotRequired[str]
    """Later configurations, followed by the date. Default `Updated config`."""

    size_limit: NotRequired[str]
    """Size of the shared volume, a quantity. Default `16Mi`."""


def _writer(name: str, *args: object) -> Object:
    return {
        "name": name,
        "image": "shell",
        "command": script("write-config", name, "/config/config.ini", *args),
        "volumeMounts": [{"name": "config-vol", "mountPath": "/config"}],
    }


def pod(_name: str, args: InitSidecarArgs) -> PodTemplate:
    """The pod of an instance."""
    return PodTemplate(
        init=[_writer("init-config", args.get("initial_text", "Initial config"))],
        app={
            "name": "main-app",
            "image": "shell",
            "command": script(
                "print-config",
                "main-app",
                f"{APP_DIRECTORY}/config.ini",
                args.get("app_interval_seconds", 30),
            ),
            "volumeMounts": [{"name": "config-vol", "mountPath": APP_DIRECTORY, "readOnly": True}],
        },
        sidecars=[
            _writer(
                "sidecar-config-updater",
                args.get("updated_text", "Updated config"),
                args.get("interval_seconds", 60),
            )
        ],
        volumes=[empty_dir("config-vol", args.get("size_limit", "16Mi"))],
    )


class InitSidecar(Pattern):
    """An app whose configuration one container prepares and another updates."""

    def __init__(
        self, name: str, args: InitSidecarArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, InitSidecarArgs)
        super().__init__("sidecar-powers:index:InitSidecar", name, {}, opts)
        self._deploy(
            name,
            "init-sidecar",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c main-app -f",
                "kubectl -n {namespace} logs {workload} -c sidecar-config-updater",
            ],
        )
