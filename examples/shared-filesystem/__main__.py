"""Publishes a page in the team's own namespace, behind a Service of its own."""

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, Service
from sidecar_powers.shared_filesystem import SharedFilesystem

config = pulumi.Config()
name = config.require("namespace")
namespace = Namespace(
    "namespace",
    metadata={
        "name": name,
        # The component's pods are admitted all the same.
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
)
page = SharedFilesystem(
    "page",
    {"namespace": name, "interval_seconds": 30, "images": config.require_object("images")},
    pulumi.ResourceOptions(depends_on=[namespace]),
)
service = Service(
    "page",
    metadata={"name": page.name, "namespace": page.namespace},
    spec={
        "selector": {"app.kubernetes.io/instance": page.name},
        "ports": [{"name": "http", "port": 80, "target_port": "http"}],
    },
)
pulumi.export("namespace", page.namespace)
pulumi.export("service", service.metadata["name"])
