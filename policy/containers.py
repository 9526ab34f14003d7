"""Rules about containers: what they may take, which image they run, when they are ready."""

from collections.abc import Iterable, Iterator

from policy.manifests import Manifests, Part, Pod, amount, found, inner, items, plain
from policy.model import Finding
from stacks.model import is_pinned

_ALLOWED_IMAGE = "an image with a digest or a tag other than latest"


def requests_and_limits(manifests: Manifests) -> Iterable[Finding]:
    """CPU and memory, requested and limited, the request within the limit."""
    for pod in manifests.pods:
        # From Kubernetes 1.34 on a pod may have them as a whole, and its containers need none.
        whole = Part(f"{pod.path}spec", pod.spec)
        parts = [whole] if inner(pod.spec, "resources") else pod.containers()
        for part in parts:
            for message in _resources(part):
                yield Finding(pod.object, message)


def images_pinned(manifests: Manifests) -> Iterable[Finding]:
    """A digest, or a tag other than latest; volumes of images included."""
    for pod in manifests.pods:
        for path, image in _images(pod):
            if image is None or not is_pinned(str(image)):
                yield Finding(pod.object, found(path, image, _ALLOWED_IMAGE))


def probes(manifests: Manifests) -> Iterable[Finding]:
    """Whoever serves a port says when it can. What runs to its end serves nobody."""
    for pod in manifests.pods:
        if pod.object.get("kind") in ("CronJob", "Job"):
            continue
        for container in pod.containers(init=False):
            ports = [plain(port.get("containerPort")) for port in items(container.value, "ports")]
            if ports and container.value.get("readinessProbe") is None:
                path = f"{container.path}.readinessProbe"
                allowed = f"a probe, since it serves port {', '.join(ports)}"
                yield Finding(pod.object, found(path, None, allowed))


def _images(pod: Pod) -> Iterator[tuple[str, object]]:
    for container in pod.all_containers:
        yield f"{container.path}.image", container.value.get("image")
    for volume in pod.volumes:
        if volume.value.get("image") is not None:
            reference = inner(volume.value, "image").get("reference")
            yield f"{volume.path}.image.reference", reference


def _resources(part: Part) -> Iterator[str]:
    for resource in ("cpu", "memory"):
        request, limit = (
            inner(part.value, "resources", kind).get(resource) for kind in ("requests", "limits")
        )
        path = f"{part.path}.resources.{{}}.{resource}"
        # Kubernetes takes the limit for a request that isn't given, and 0 for no limit.
        most = None if limit is None else amount(limit)
        if most is None or most <= 0:
            yield found(path.format("limits"), limit, "a quantity above 0")
        if request is None and limit is None:
            yield found(path.format("requests"), None, "a quantity")
        least = most if request is None else amount(request)
        if request is not None and (least is None or least < 0):
            yield found(path.format("requests"), request, "a quantity")
        if most is not None and least is not None and least > most:
            yield found(path.format("requests"), request, f"at most {plain(limit)}")
