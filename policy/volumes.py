"""Rules about volumes: how large they grow, and whether what is in them reaches the app."""

from collections.abc import Iterable, Iterator

from policy.manifests import Manifests, Part, Pod, amount, found, inner, items
from policy.model import Finding

_LIVE = {"configMap", "downwardAPI", "projected", "secret"}
"""Volumes that the kubelet updates."""


def kinds(volume: Part) -> set[str]:
    """What a volume is; one of no kind is an emptyDir."""
    named = {key for key in volume.value if key != "name" and volume.value.get(key) is not None}
    return named or {"emptyDir"}


def empty_dirs_bounded(manifests: Manifests) -> Iterable[Finding]:
    """An emptyDir has a size, and not 0, which means no limit."""
    for pod in manifests.pods:
        for volume in pod.volumes:
            size = inner(volume.value, "emptyDir").get("sizeLimit")
            if "emptyDir" in kinds(volume) and not (amount(size) or 0) > 0:
                path = f"{volume.path}.emptyDir.sizeLimit"
                yield Finding(pod.object, found(path, size, "a size above 0"))


def no_sub_path(manifests: Manifests) -> Iterable[Finding]:
    """Volumes that change under the app are mounted whole."""
    for pod in manifests.pods:
        live = {volume.name for volume in pod.volumes if _changes(pod, volume)}
        for container in pod.containers(init=False):
            for volume, key, path in _sub_paths(container):
                if volume in live:
                    where = f"{container.path}.volumeMounts[{volume}].{key}"
                    allowed = "a mount of the whole volume"
                    yield Finding(pod.object, found(where, path, allowed))


def _changes(pod: Pod, volume: Part) -> bool:
    """Whether the kubelet renews what is in a volume, or another container may."""
    if kinds(volume) & _LIVE:
        return True
    writers = {
        (container.name, str(mount.get("subPath") or ""))
        for container in pod.containers(init=False)
        for mount in items(container.value, "volumeMounts")
        if mount.get("name") == volume.name
    }
    # Containers with parts of their own share nothing.
    parts = [part for _, part in writers]
    return "emptyDir" in kinds(volume) and len(writers) > 1 and ("" in parts or _repeats(parts))


def _repeats(parts: list[str]) -> bool:
    return len(set(parts)) < len(parts)


def _sub_paths(container: Part) -> Iterator[tuple[str, str, object]]:
    """The volumes of which a container mounts a part: the key that says so, and the part."""
    for mount in items(container.value, "volumeMounts"):
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                yield str(mount.get("name")), key, mount.get(key)
