"""Reads what a report tells out of a stack's manifests, and of nothing else."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from components.usage import container_usage, pod_usage, pods, qos_class
from tools.report.model import Container, Mount, Signal, Volume, Workload
from tools.status import Object, entries, section

_READ_ONLY = ("configMap", "downwardAPI", "projected", "secret")
"""Volumes that nobody can write to, whatever their mounts say."""


def workloads(objects: Sequence[Object]) -> list[Workload]:
    """The workloads among a stack's objects, by name."""
    with_token = _accounts_with_token(objects)
    found: list[Workload] = []
    for item in objects:
        spec, replicas = pods(item)
        if replicas:
            found.append(_workload(item, spec, replicas, with_token))
    return sorted(found, key=lambda workload: workload.name)


def quota(objects: Iterable[Object]) -> dict[str, str]:
    """What the namespace lets all pods take together."""
    found: dict[str, str] = {}
    for item in objects:
        if item["kind"] == "ResourceQuota":
            found |= section(item, "spec", "hard")
    return found


def _workload(item: Object, spec: Object, replicas: int, with_token: dict[str, bool]) -> Workload:
    account = str(spec.get("serviceAccountName", "default"))
    token = bool(spec.get("automountServiceAccountToken", with_token.get(account, True)))
    volumes = [_volume(volume) for volume in entries(spec, "volumes")]
    shares = bool(spec.get("shareProcessNamespace"))
    return Workload(
        kind=item["kind"],
        name=item["metadata"]["name"],
        replicas=replicas,
        qos_class=qos_class(spec),
        usage=pod_usage(spec),
        shares_processes=shares,
        service_account=account,
        containers=_containers(spec, volumes, token),
        volumes=volumes,
        signals=_signals(spec) if shares else [],
    )


def _accounts_with_token(objects: Iterable[Object]) -> dict[str, bool]:
    """Whether a service account gives its token to pods that don't say what they want."""
    return {
        item["metadata"]["name"]: bool(item.get("automountServiceAccountToken", True))
        for item in objects
        if item["kind"] == "ServiceAccount"
    }


def _containers(spec: Object, volumes: Sequence[Volume], token: bool) -> list[Container]:
    by_name = {volume.name: volume for volume in volumes}
    init = entries(spec, "initContainers")
    found: list[Container] = []
    for place, container in enumerate([*init, *entries(spec, "containers")]):
        role = "init container" if place < len(init) else "container"
        role = "native sidecar" if container.get("restartPolicy") == "Always" else role
        mounted = [
            (by_name[mount["name"]], mount)
            for mount in entries(container, "volumeMounts")
            if mount["name"] in by_name
        ]
        mounts = [
            Mount(
                volume.name,
                str(mount.get("mountPath", "")),
                bool(mount.get("readOnly")) or volume.kind in _READ_ONLY,
            )
            for volume, mount in mounted
        ]
        found.append(
            Container(
                name=container["name"],
                role=role,
                step=min(place, len(init)) + 1,
                image=str(container.get("image", "")),
                command=_words(container),
                usage=container_usage(container),
                mounts=mounts,
                has_token=token or any(volume.has_token for volume, _ in mounted),
            )
        )
    return found


def _words(container: Object) -> list[str]:
    words: list[Any] = [*container.get("command", []), *container.get("args", [])]
    return [str(word) for word in words]


def _volume(volume: Object) -> Volume:
    kind = next((key for key in volume if key != "name"), "")
    source = section(volume, kind)
    parts = entries(source, "sources")
    return Volume(
        volume["name"], kind, _detail(kind, source), any("serviceAccountToken" in p for p in parts)
    )


def _detail(kind: str, source: Object) -> str:
    if kind == "emptyDir":
        return str(source.get("sizeLimit", "no size limit"))
    if kind == "downwardAPI":
        fields = (section(item, "fieldRef").get("fieldPath") for item in entries(source, "items"))
        return ", ".join(str(field) for field in fields if field)
    if kind == "projected":
        return ", ".join(key for part in entries(source, "sources") for key in part)
    names = ("name", "secretName", "claimName", "path", "driver")
    return next((str(source[name]) for name in names if name in source), "")


def _signals(spec: Object) -> list[Signal]:
    """Who signals whom: a sender's TARGET names the container.

    See components/signal.py.
    """
    containers = [*entries(spec, "initContainers"), *entries(spec, "containers")]
    names = {container["name"] for container in containers}
    found: list[Signal] = []
    for container in containers:
        # In a shell, or in Python.
        sent = re.search(
            r"\bkill(?: -(?:SIG)?|\([\w.]+, signal\.SIG)([A-Z][A-Z0-9]*)\b",
            "\n".join(_words(container)),
        )
        found += [
            Signal(sent[1] if sent else "", container["name"], variable["value"])
            for variable in entries(container, "env")
            if variable["name"] == "TARGET" and variable.get("value") in names
        ]
    return found
