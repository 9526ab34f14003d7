"""Secret rotation: a new token is accepted while the server runs, and the former one for a while.

Shows a Secret that Pulumi updates in place, and a sidecar that sees the kubelet swap the mounted
file, has nginx accept the new token beside the former one, and says so in its file `status` once
nginx does nothing else. After the overlap the former one is refused.
https://datatracker.ietf.org/doc/html/rfc6750

Guarantees: no container restarts; clients that take the new token after `status` says so, and
before the overlap ends, are never refused. A Secret without a token changes nothing, and why
stands in the log and in `status`. The value is in the pod's memory, and encrypted in Pulumi's
state: in no environment, argument or log.
Leaves out: comparison in constant time, and a pod that starts with a wrong token. It has no earlier
one, so its sidecar waits for a right one, and the app with it.

The provider replaces a Secret whose data changes unless `kubernetes:enableSecretMutable` is true;
pods see the change either way.
https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
"""

from typing import NotRequired

import pulumi

from .manifest import register
from .messages import check_keys
from .parts import GENERATION_PORT, empty_dir, labels_of, memory, once, own_port, program, script
from .workload import Pattern, PodTemplate, WorkloadArgs

KEY = "token"
"""The Secret's key."""

SOURCE = "/etc/token"
"""Where the sidecar has the Secret."""

LIVE = "/etc/nginx/live"
"""Where nginx has its configuration, and the sidecar its status."""


class SecretRotationArgs(WorkloadArgs):
    """Arguments of SecretRotation."""

    token: pulumi.Input[str]
    """The bearer token that clients must show: 16 to 1024 of the characters that RFC 6750 allows,
    `A-Z a-z 0-9 - . _ ~ + /` and `=` at its end. The sidecar refuses any other, and says why.
    A secret in the state, whether it is one here or not."""

    overlap_seconds: NotRequired[int]
    """Seconds for which a former token is accepted after the new one is. Default 120. The three
    last ones at most: a fourth rotation within the overlap ends the oldest."""

    port: NotRequired[int]
    """TCP port that nginx listens at, named `http`. Default 8080; an error with 8999, at which
    nginx answers the sidecar."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks at the files without being told of a change. Default 60."""


def pod(name: str, args: SecretRotationArgs) -> PodTemplate:
    """The pod of an instance, whose Secret has its name."""
    port = own_port(args.get("port", 8080))
    interval = args.get("interval_seconds", 60)
    live = {"name": "live", "mountPath": LIVE}
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "nginx",
            "command": script(
                "serve-reloaded",
                "main-app",
                *("/tmp/nginx.pid", interval, f"{LIVE}/nginx.conf"),
                uses=["watch"],
            ),
            "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
            "volumeMounts": [{**live, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}],
        },
        sidecars=[
            {
                "name": "token-keeper",
                "image": "python",
                "command": program(
                    "keep-token",
                    "token-keeper",
                    *(f"{SOURCE}/{KEY}", LIVE, port, GENERATION_PORT),
                    *(args.get("overlap_seconds", 120), interval),
                ),
                # What comes after a native sidecar starts once there is a configuration.
                "startupProbe": once(f"{LIVE}/nginx.conf"),
                "volumeMounts": [
                    {"name": "token", "mountPath": SOURCE, "readOnly": True},
                    live,
                ],
            }
        ],
        volumes=[
            # Readable for the pod's group, and not for all: 0440.
            {"name": "token", "secret": {"secretName": name, "defaultMode": 0o440}},
            memory("live", "1Mi"),
            empty_dir("tmp", "16Mi"),
        ],
    )


class SecretRotation(Pattern):
    """nginx, and a sidecar that has it accept the token that a Secret holds, and former ones."""

    def __init__(
        self, name: str, args: SecretRotationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, SecretRotationArgs)
        super().__init__("sidecar-powers:index:SecretRotation", name, {}, opts)
        from pulumi_kubernetes.core.v1 import Secret

        secret = register(
            Secret,
            name,
            {
                "metadata": {
                    "name": name,
                    "namespace": args.get("namespace", "default"),
                    "labels": labels_of(name, "secret-rotation"),
                },
                "type": "Opaque",
                "stringData": {KEY: pulumi.Output.secret(args["token"])},
            },
            pulumi.ResourceOptions(parent=self),
        )
        port = args.get("port", 8080)
        self._deploy(
            name,
            "secret-rotation",
            pod(name, args),
            args,
            commands=[
                f"kubectl -n {{namespace}} exec {{workload}} -c token-keeper -- cat {LIVE}/status",
                f"kubectl -n {{namespace}} port-forward {{workload}} 8080:{port}",
                "curl -i http://localhost:8080",
                "kubectl -n {namespace} logs {workload} -c token-keeper -f",
            ],
            depends_on=[secret],
        )
