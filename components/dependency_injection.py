"""Dependency injection: a sidecar brings the app a plug-in, and a newer one while it runs.

Shows a ConfigMap, updated in place, that says by its sha256 which bundle is wanted, and where it
is; and a fetcher that starts before the app, compares the digest, unpacks the bundle beside the
one in use, and switches a symbolic link. What the app runs next is the new one.

Guarantees: nothing in a bundle is read before its digest is right, so source and network need no
trust. One that is wrong, cut off or more than files of its own is refused: the app keeps the one
it has, or does not start. A source that is away is asked again after 1 s, 2 s, 4 s, up to the
interval. Why is in the fetcher's log and `status`, and in the pod's events until the app starts.
A run of the plug-in has the files of one bundle; the app can't write to them.
Leaves out: signatures and credentials. A run that outlasts two switches loses its files.
"""

from typing import NotRequired

import pulumi

from .manifest import register
from .messages import check_keys
from .parts import empty_dir, labels_of, program, script, selector_of
from .plugin_offer import ENTRY, egress_to_url, greeter, offer
from .plugin_source import PluginSource, beside, companion, egress_to_source
from .quantity import parse_quantity
from .workload import Pattern, PodTemplate, WorkloadArgs

PLUGINS = "/plugins"
"""Where both containers have the bundles, the link `current`, and the fetcher's `status`."""

_PATTERN = "dependency-injection"
_CURRENT, _OFFER = f"{PLUGINS}/current", "/etc/offer"


class DependencyInjectionArgs(WorkloadArgs):
    """Arguments of DependencyInjection."""

    source: NotRequired[str]
    """URL of a tar.gz with a file `plugin.sh`, which needs `sha256` and may have no credentials.
    Default: a server in the namespace, with a plug-in that greets."""

    source_cidr: NotRequired[str]
    """Addresses that `source` may have, for the network policy. Default: any, at its port."""

    sha256: NotRequired[str]
    """Digest that the bundle must have, in hexadecimal. Default: that of the one that greets."""

    size: NotRequired[int]
    """Bytes of the bundle at `source`: a shorter one is said to be truncated, of a longer one no
    more is fetched. Default: unknown, at most `size_limit`."""

    version: NotRequired[str]
    """What messages call the bundle. Default `1.0.0`, or the digest's beginning with `source`."""

    greeting: NotRequired[str]
    """What the plug-in says, a line. Default `Hello`; an error with `source`."""

    interval_seconds: NotRequired[int]
    """Seconds between two attempts, or looks without being told of a change. Default 60."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two runs of the plug-in. Default 10."""

    size_limit: NotRequired[str]
    """Size of the volume for the bundles, at most three, a quantity. Default `16Mi`."""


def pod(name: str, args: DependencyInjectionArgs) -> PodTemplate:
    """The pod of an instance, whose ConfigMap has its name."""
    size, interval = args.get("size_limit", "16Mi"), args.get("interval_seconds", 60)
    limit, pace = int(parse_quantity(size)), args.get("app_interval_seconds", 10)
    plugins = {"name": "plugins", "mountPath": PLUGINS}
    # The app starts once there is a bundle; until then the pod's events say why there is none.
    # Before the first attempt there is no status either: cat fails, which must be no success.
    there = f"[ -e {_CURRENT}/{ENTRY} ] || {{ cat {PLUGINS}/status; false; }}"
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script("run-plugin", "main-app", _CURRENT, ENTRY, pace),
            "volumeMounts": [{**plugins, "readOnly": True}],
        },
        sidecars=[
            {
                "name": "plugin-fetcher",
                "image": "python",
                "command": program(
                    *("fetch-plugin", "plugin-fetcher", _OFFER, PLUGINS, ENTRY, limit, interval)
                ),
                "startupProbe": {
                    "exec": {"command": ["/bin/sh", "-c", there]},
                    "periodSeconds": 1,
                    "failureThreshold": 300,
                },
                "volumeMounts": [
                    {"name": "offer", "mountPath": _OFFER, "readOnly": True},
                    plugins,
                    {"name": "sidecar-tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        volumes=[
            {"name": "offer", "configMap": {"name": name}},
            empty_dir("plugins", size),
            empty_dir("sidecar-tmp", size),
        ],
        companions={} if "source" in args else companion(f"{name}-source", args),
    )


class DependencyInjection(Pattern):
    """An app that runs the plug-in that a sidecar brings."""

    def __init__(
        self, name: str, args: DependencyInjectionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, DependencyInjectionArgs)
        wanted = offer(args)
        super().__init__("sidecar-powers:index:DependencyInjection", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ConfigMap
        from pulumi_kubernetes.networking.v1 import NetworkPolicy

        namespace, clients = args.get("namespace", "default"), selector_of(name, _PATTERN)
        metadata = {"name": name, "namespace": namespace, "labels": labels_of(name, _PATTERN)}
        child = pulumi.ResourceOptions(parent=self)
        if "source" in args:
            url, rules = args["source"], egress_to_url(args["source"], args.get("source_cidr"))
        else:
            host, (bundle, _) = f"{name}-source", greeter(args)
            server = PluginSource(
                host, {**beside(args), "bundle": bundle, "clients": clients}, child
            )
            url, rules = server.url, egress_to_source(host)
            # A bundle is offered once it is there.
            child = pulumi.ResourceOptions(parent=self, depends_on=[server])
        data = {"metadata": metadata, "data": {**wanted, "url": url}}
        spec = {"podSelector": {"matchLabels": clients}, "policyTypes": ["Egress"], "egress": rules}
        needs = [
            register(ConfigMap, name, data, child),
            register(NetworkPolicy, name, {"metadata": metadata, "spec": spec}, child),
        ]
        self._deploy(
            name,
            _PATTERN,
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c main-app -f",
                "kubectl -n {namespace} logs {workload} -c plugin-fetcher",
            ],
            depends_on=needs,
        )
