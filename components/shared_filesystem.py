"""Shared filesystem: the sidecar writes what the app serves.

Shows two containers of a pod sharing a volume: nginx serves the page that the
sidecar publishes every few seconds, and neither knows the other.

Guarantees: a reader gets the old page or the new one, never a part; the app
can't write to the volume; it starts only once there is a page, or, beside a
classic sidecar, is ready only then.
Leaves out: persistence. The volume ends with its pod.
"""

from typing import NotRequired

import pulumi

from .messages import check_keys
from .parts import empty_dir, nginx, once, script
from .workload import Pattern, PodTemplate, WorkloadArgs

PAGES = "/usr/share/nginx/html"
"""Where the app has the volume."""

_PAGE = "/data/index.html"
"""Where the sidecar publishes."""


class SharedFilesystemArgs(WorkloadArgs):
    """Arguments of SharedFilesystem."""

    interval_seconds: NotRequired[int]
    """Seconds between two publications. Default 10."""

    port: NotRequired[int]
    """TCP port that nginx listens at, named `http`. Default 8080."""

    size_limit: NotRequired[str]
    """Size of the shared volume, a quantity. Default `16Mi`."""


def pod(_name: str, args: SharedFilesystemArgs) -> PodTemplate:
    """The pod of an instance."""
    port = args.get("port", 8080)
    return PodTemplate(
        app=nginx(
            "main-app",
            PAGES,
            port,
            [{"name": "shared-data", "mountPath": PAGES, "readOnly": True}],
        ),
        sidecars=[
            {
                "name": "sidecar-config",
                "image": "shell",
                "command": script(
                    "publish-page",
                    "sidecar-config",
                    _PAGE,
                    args.get("interval_seconds", 10),
                ),
                # What comes after a native sidecar starts once there is a page.
                "startupProbe": once(_PAGE),
                "volumeMounts": [{"name": "shared-data", "mountPath": "/data"}],
            }
        ],
        volumes=[
            empty_dir("shared-data", args.get("size_limit", "16Mi")),
            empty_dir("tmp", "16Mi"),
        ],
    )


class SharedFilesystem(Pattern):
    """nginx serves what its sidecar publishes into a volume that they share."""

    def __init__(
        self,
        name: str,
        args: SharedFilesystemArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        check_keys(args, SharedFilesystemArgs)
        super().__init__("sidecar-powers:index:SharedFilesystem", name, {}, opts)
        port = args.get("port", 8080)
        self._deploy(
            name,
            "shared-filesystem",
            pod(name, args),
            args,
            commands=[
                f"kubectl -n {{namespace}} port-forward {{workload}} 8080:{port}",
                "curl http://localhost:8080",
            ],
        )
