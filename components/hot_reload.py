"""Hot reload: nginx takes up a new configuration while it serves.

Shows a ConfigMap that Pulumi updates in place, and a sidecar that sees the
kubelet swap the mounted files (inotify), tests the new configuration with
nginx's own parser, puts it where nginx reads it, signals nginx, and asks it
which configuration it serves.
https://nginx.org/en/docs/control.html#reconfiguration

Guarantees: no container restarts and no request fails; nginx only ever sees a
configuration that has passed its test, also when it is started again; one that
is refused changes nothing, and why stands in the sidecar's log and in its file
`status`. Readiness asks whether nginx listens, not what was refused: a wrong
configuration takes no pod out of service.
Leaves out: a pod that starts with a wrong configuration. It has no earlier one,
so its sidecar waits for a right one, and the app with it.

The provider replaces a ConfigMap whose data changes unless
`kubernetes:enableConfigMapMutable` is true; pods see the change either way.
https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/
"""

from typing import NotRequired

import pulumi

from .manifest import register
from .messages import check_keys
from .parts import GENERATION_PORT, empty_dir, labels_of, once, own_port, script
from .workload import Pattern, PodTemplate, WorkloadArgs

FILE = "server.conf"
"""The ConfigMap's key."""

LIVE = "/etc/nginx/live"
"""Where nginx has its configuration, and the sidecar its status."""

SOURCE = "/etc/nginx/source"
"""Where the sidecar has the ConfigMap."""

PID_FILE = "/run/nginx/nginx.pid"
"""Where nginx leaves the number of its process."""

_HELLO = 'location / {\n  return 200 "Hello\\n";\n}\n'


class HotReloadArgs(WorkloadArgs):
    """Arguments of HotReload."""

    directives: NotRequired[str]
    """What nginx is to do: the directives of its `server` block, `listen` aside. Default: it
    answers `Hello`. https://nginx.org/en/docs/http/ngx_http_core_module.html#server"""

    port: NotRequired[int]
    """TCP port that nginx listens at, named `http`. Default 8080; an error with 8999, at which
    nginx answers the sidecar."""

    interval_seconds: NotRequired[int]
    """Seconds between two looks at the files without being told of a change. Default 60."""


def pod(name: str, args: HotReloadArgs) -> PodTemplate:
    """The pod of an instance, whose ConfigMap has its name."""
    port = own_port(args.get("port", 8080))
    live = {"name": "live", "mountPath": LIVE}
    run = {"name": "run", "mountPath": "/run/nginx"}
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "nginx",
            "command": script("serve-config", "main-app", f"{LIVE}/nginx.conf"),
            "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
            "volumeMounts": [
                {**live, "readOnly": True},
                run,
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        },
        sidecars=[
            {
                "name": "config-reloader",
                # The app's own image: only the nginx that will read a file can test it.
                "image": "nginx",
                "command": script(
                    "reload-config",
                    "config-reloader",
                    f"{SOURCE}/{FILE}",
                    LIVE,
                    PID_FILE,
                    port,
                    GENERATION_PORT,
                    args.get("interval_seconds", 60),
                    uses=["watch", "nginx"],
                ),
                "env": [{"name": "TARGET", "value": "main-app"}],
                # What comes after a native sidecar starts once there is a configuration.
                "startupProbe": once(f"{LIVE}/nginx.conf"),
                "volumeMounts": [
                    {"name": "source", "mountPath": SOURCE, "readOnly": True},
                    live,
                    run,
                    {"name": "sidecar-tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        volumes=[
            {"name": "source", "configMap": {"name": name}},
            empty_dir("live", "16Mi"),
            empty_dir("run", "1Mi"),
            empty_dir("tmp", "16Mi"),
            empty_dir("sidecar-tmp", "16Mi"),
        ],
        spec={"shareProcessNamespace": True},
    )


class HotReload(Pattern):
    """nginx, and a sidecar that has it take up what a ConfigMap says."""

    def __init__(
        self, name: str, args: HotReloadArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, HotReloadArgs)
        super().__init__("sidecar-powers:index:HotReload", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ConfigMap

        config_map = register(
            ConfigMap,
            name,
            {
                "metadata": {
                    "name": name,
                    "namespace": args.get("namespace", "default"),
                    "labels": labels_of(name, "hot-reload"),
                },
                "data": {FILE: args.get("directives", _HELLO)},
            },
            pulumi.ResourceOptions(parent=self),
        )
        port = args.get("port", 8080)
        self._deploy(
            name,
            "hot-reload",
            pod(name, args),
            args,
            commands=[
                f"kubectl -n {{namespace}} port-forward {{workload}} 8080:{port}",
                "curl http://localhost:8080",
                "kubectl -n {namespace} logs {workload} -c config-reloader -f",
            ],
            depends_on=[config_map],
        )
