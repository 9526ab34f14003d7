"""Manifests of pods, for tests of what is told of them."""

from typing import Any

from tests.unit.recorder import Object

RESOURCES = {"requests": {"cpu": "10m"}, "limits": {"cpu": "1", "memory": "64Mi"}}


def container(name: str, **more: Any) -> Object:
    """A container with small resources."""
    return {"name": name, "image": "a:1", "resources": RESOURCES, **more}


def deployment(name: str, *containers: Object, replicas: int = 1, **spec: Any) -> Object:
    """A Deployment of such pods, whose other containers are init containers in `spec`."""
    template = {
        "spec": {"automountServiceAccountToken": False, "containers": [*containers], **spec}
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": template},
    }
