"""Rules about volumes: how large they grow, and whether what is in them reaches the app."""

from collections.abc import Iterable, Iterator

from components.quantity import parse_quantity
from policy.manifests import Manifests, Part, Pod, found, inner, listed
from policy.model import Finding

_LIVE = ("configMap", "downwardAPI", "projected", "secret")
"""Volumes that the kubelet updates."""


def empty_dirs_bounded(manifests: Manifests) -> Iterable[Finding]:
    """An emptyDir has a size, and not 0, which means no limit."""
    for pod in manifests.pods:
        for volume in pod.volumes:
            if not _is_empty_dir(volume):
                continue
            size = inner(volume.value, "emptyDir").get("sizeLimit")
            if size is None or not _is_positive(size):
                message = found(f"{volume.path}.emptyDir.sizeLimit", size, "a size above 0")
                yield Finding(pod.object, message)


def no_sub_path(manifests: Manifests) -> Iterable[Finding]:
    """Volumes that change under the app are mounted whole."""
    for pod in manifests.pods:
        live = {volume.name for volume in pod.volumes if _changes(pod, volume)}
        for container in pod.containers(init=False):
            for mount, key in _sub_paths(container):
                if mount in live:
                    path = f"{container.path}.volumeMounts[{mount}].{key}"
                    yield Finding(pod.object, found(path, "a path", "a mount of the whole volume"))


def _is_empty_dir(volume: Part) -> bool:
    """Whether it is one; a volume of no kind is, too."""
    return volume.value.get("emptyDir") is not None or {*volume.value} == {"name"}


def _is_positive(size: object) -> bool:
    try:
        return parse_quantity(str(size)) > 0
    except ValueError:
        return False


def _changes(pod: Pod, volume: Part) -> bool:
    """Whether the kubelet or another container renews what is in a volume."""
    if any(volume.value.get(kind) is not None for kind in _LIVE):
        return True
    users = [
        container.name
        for container in pod.containers(init=False)
        for mount in listed(container.value, "volumeMounts")
        if mount.get("name") == volume.name
    ]
    return _is_empty_dir(volume) and len(set(users)) > 1


def _sub_paths(container: Part) -> Iterator[tuple[str, str]]:
    """The volumes of which a container mounts a part, and the key that says so."""
    for mount in listed(container.value, "volumeMounts"):
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                yield str(mount.get("name")), key
