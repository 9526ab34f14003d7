"""A server with one bundle, for the pods that fetch it: a ConfigMap, busybox and a Service.

What the demo needs, and not how a team publishes plug-ins. Who fetches knows the bundle's digest
from elsewhere, so it needs no trust.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, cast

import pulumi

from .manifest import Object, register
from .messages import check_keys
from .parts import IMAGES, labels_of, script, selector_of
from .workload import Pattern, PodTemplate, WorkloadArgs

PATTERN = "plugin-source"
"""What its pods are called, and their container."""

_DIRECTORY, _PORT = "/bundles", 8080


class PluginSourceArgs(WorkloadArgs):
    """Arguments of PluginSource."""

    bundle: bytes
    """What it serves, less than 1 MiB."""

    clients: Mapping[str, str]
    """The labels of the pods that may fetch it."""


def beside(args: WorkloadArgs) -> WorkloadArgs:
    """Those arguments of a workload that hold for its source too."""
    mine = [*IMAGES, PATTERN]
    common = ("namespace", "timeout_seconds", "default_resources")
    found: dict[str, Any] = {key: value for key, value in args.items() if key in common}
    for part in ("images", "resources"):
        given = args.get(part, {})
        found[part] = {name: given[name] for name in given if name in mine}
    return cast(WorkloadArgs, {**found, "workload": "deployment"})


def pod(name: str) -> PodTemplate:
    """The pod of a source, whose ConfigMap has its name."""
    return PodTemplate(
        app={
            "name": PATTERN,
            "image": "shell",
            "command": script("serve-bundles", PATTERN, _DIRECTORY, _PORT),
            "ports": [{"name": "http", "containerPort": _PORT}],
            "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "bundles", "mountPath": _DIRECTORY, "readOnly": True}],
        },
        sidecars=[],
        volumes=[{"name": "bundles", "configMap": {"name": name}}],
    )


def companion(name: str, args: WorkloadArgs) -> dict[str, tuple[PodTemplate, WorkloadArgs]]:
    """A source of that name as the companion of a workload with these arguments."""
    return {name: (pod(name), beside(args))}


def egress_to_source(name: str) -> list[Object]:
    """The rules of a network policy that let a pod fetch from a source of that name."""
    to = {"podSelector": {"matchLabels": selector_of(name, PATTERN)}}
    return [{"to": [to], "ports": [{"protocol": "TCP", "port": _PORT}]}]


class PluginSource(Pattern):
    """A server with one bundle."""

    url: pulumi.Output[str]
    """Where the bundle is: at the Service's address, which takes no DNS, or at its name where
    nobody has given it an address yet, as in rendered manifests."""

    def __init__(
        self, name: str, args: PluginSourceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, PluginSourceArgs)
        super().__init__("sidecar-powers:index:PluginSource", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ConfigMap, Service
        from pulumi_kubernetes.networking.v1 import NetworkPolicy

        namespace, selector = args.get("namespace", "default"), selector_of(name, PATTERN)
        metadata = {"name": name, "namespace": namespace, "labels": labels_of(name, PATTERN)}
        child = pulumi.ResourceOptions(parent=self)
        # Another bundle has another name: who asks for one never gets the other.
        file = f"{hashlib.sha256(args['bundle']).hexdigest()[:12]}.tar.gz"
        data = {file: base64.b64encode(args["bundle"]).decode()}
        config_map = register(ConfigMap, name, {"metadata": metadata, "binaryData": data}, child)
        ports = [{"name": "http", "port": _PORT, "targetPort": "http"}]
        spec: Object = {"selector": selector, "ports": ports}
        service = register(Service, name, {"metadata": metadata, "spec": spec}, child)
        clients = [{"podSelector": {"matchLabels": dict(args["clients"])}}]
        spec = {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": clients, "ports": [{"protocol": "TCP", "port": _PORT}]}],
        }
        register(NetworkPolicy, name, {"metadata": metadata, "spec": spec}, child)

        def url(address: str | None) -> str:
            host = address or f"{name}.{namespace}.svc"
            return f"http://{f'[{host}]' if ':' in host else host}:{_PORT}/{file}"

        self.url = service.spec.apply(lambda spec: url(spec.cluster_ip))
        self._deploy(name, PATTERN, pod(name), args, commands=[], depends_on=[config_map])
