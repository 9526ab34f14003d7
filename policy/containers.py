"""Rules about containers: what they may take, which image they run, when they are ready."""

from collections.abc import Iterable, Iterator

from components.quantity import parse_quantity
from policy.manifests import Manifests, Part, found, inner, listed
from policy.model import Finding
from stacks.model import is_pinned


def requests_and_limits(manifests: Manifests) -> Iterable[Finding]:
    """CPU and memory, requested and limited, the request within the limit."""
    for pod in manifests.pods:
        for container in pod.containers():
            for message in _resources(container):
                yield Finding(pod.object, message)


def images_pinned(manifests: Manifests) -> Iterable[Finding]:
    """A digest, or a tag other than latest."""
    for pod in manifests.pods:
        for container in pod.all_containers:
            image = container.value.get("image")
            if image is None or not is_pinned(image):
                allowed = "an image with a digest or a tag other than latest"
                yield Finding(pod.object, found(f"{container.path}.image", image, allowed))


def probes(manifests: Manifests) -> Iterable[Finding]:
    """Whoever serves a port says when it can."""
    for pod in manifests.pods:
        for container in pod.containers(init=False):
            ports = [port.get("containerPort") for port in listed(container.value, "ports")]
            if ports and container.value.get("readinessProbe") is None:
                path = f"{container.path}.readinessProbe"
                allowed = f"a probe, since it serves port {', '.join(map(_plain, ports))}"
                yield Finding(pod.object, found(path, None, allowed))


def _plain(number: float) -> str:
    # On the wire all numbers are floating.
    return f"{number:g}"


def _resources(container: Part) -> Iterator[str]:
    for resource in ("cpu", "memory"):
        values = {
            part: inner(container.value, "resources", part).get(resource)
            for part in ("requests", "limits")
        }
        where = {part: f"{container.path}.resources.{part}.{resource}" for part in values}
        # Kubernetes takes the limit for a request that isn't given.
        if values["limits"] is None:
            yield found(where["limits"], None, "a quantity")
            if values["requests"] is None:
                yield found(where["requests"], None, "a quantity")
            continue
        try:
            limit = parse_quantity(str(values["limits"]))
            request = parse_quantity(str(values["requests"] or values["limits"]))
        except ValueError as error:
            yield f"{container.path}.resources: {error}"
            continue
        if request > limit:
            yield found(where["requests"], values["requests"], f"at most {values['limits']}")
