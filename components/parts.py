"""What the pods of all patterns are made of: images, scripts, probes, volumes, labels."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path

import pulumi

from .manifest import Object

IMAGES = {
    "nginx": "nginx:1.28.0-alpine",
    "shell": "busybox:1.37.0",
    "curl": "curlimages/curl:8.14.1",
    "toolbox": "nicolaka/netshoot:v0.14",
    "python": "python:3.14.0-slim",
}
"""The image of each role: `shell` has busybox, nginx and curl have it beside their namesake,
`toolbox` has strace and python3, and `python` has openssl and Debian's own tools.

A script that waits for files to change uses inotifyd or inotifywait, and looks every so often in an
image without either; a program needs neither."""

USER = 65532
"""User and group of every container: any but root; signals need the same one on both sides."""

OTHER_USER = 65533
"""User of a sidecar that shares the app's process namespace, and whose files the app must not see:
/proc shows them to the same user."""

GENERATION_PORT = 8999
"""Where an nginx whose configuration changes tells its pod which one it serves."""

API_ACCESS = {"sidecar-powers/api-access": "true"}
"""The label of pods that a RestrictedNamespace lets through to the API server."""

DRAIN = "sidecar-powers/drain-seconds"
"""Annotation of a pod: how many seconds its app takes to end after TERM."""

_SCRIPTS = Path(__file__).with_name("scripts")
_PROGRAMS = Path(__file__).with_name("programs")


def selector_of(name: str, pattern: str) -> dict[str, str]:
    """The labels that tell an instance's pods from all others."""
    return {"app.kubernetes.io/name": pattern, "app.kubernetes.io/instance": name}


def labels_of(name: str, pattern: str) -> dict[str, str]:
    """The labels of all objects of an instance.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    return {
        **selector_of(name, pattern),
        "app.kubernetes.io/part-of": "sidecar-powers",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def script(name: str, container: str, *args: object, uses: Sequence[str] = ()) -> list[str]:
    """The command that runs scripts/<name>.sh with these arguments in this container.

    The script finds there what common.sh has, and the scripts in `uses`. The container's name is
    the command's `$0`, so that others can find it. Raises ValueError for an argument that nobody
    knows yet.
    """
    if any(isinstance(arg, pulumi.Output) for arg in args):
        raise ValueError(f"{container}: its script takes plain values, and no Output")
    # The script's own comment comes first: it is what a process list shows.
    comment, _, body = _read(name).partition("\n\n")
    text = "\n".join([f"{comment}\n", *map(_read, ("common", *uses)), body])
    return ["/bin/sh", "-c", text, container, *map(str, args)]


def program(name: str, container: str, *args: object) -> list[str]:
    """The command that runs programs/<name>.py with these arguments in this container.

    The container's name is the first argument, so that others can find it. Raises ValueError for
    an argument that nobody knows yet.
    """
    if any(isinstance(arg, pulumi.Output) for arg in args):
        raise ValueError(f"{container}: its program takes plain values, and no Output")
    modules = _modules(name.replace("-", "_"))
    # Its own description comes first: it is what a process list shows.
    about, end, main = modules[-1].partition('"""\n')
    text = "\n\n".join([f"{about}{end}{_EARLY}", *modules[:-1], main])
    # Isolated from what its environment and its directory may say to Python.
    return ["python3", "-I", "-S", "-c", text, container, *map(str, args)]


# The kernel drops TERM for a container's first process until there is a handler, and the imports
# take their time: a pod that is deleted meanwhile would last as long as its grace period. What is
# blocked waits, until the program says how it ends.
_EARLY = """
import signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
"""

_IMPORT = re.compile(r"^from \.(\w+) import (?:\([^)]*\)|.*)\n", re.MULTILINE)


@cache
def _modules(name: str) -> list[str]:
    """The texts of a program and of what it imports from its folder, which comes before it."""
    text = (_PROGRAMS / f"{name}.py").read_text()
    used = chain.from_iterable(map(_modules, _IMPORT.findall(text)))
    return list(dict.fromkeys([*used, _IMPORT.sub("", text)]))


@cache
def _read(name: str) -> str:
    return (_SCRIPTS / f"{name}.sh").read_text()


def nginx(container: str, directory: str, port: int, mounts: Sequence[Object] = ()) -> Object:
    """A container that serves a directory with nginx; it needs the volume `tmp` to write to."""
    probe = {"httpGet": {"path": "/", "port": "http"}}
    return {
        "name": container,
        "image": "nginx",
        "command": script("serve", container, directory, port, uses=["nginx"]),
        "ports": [{"name": "http", "containerPort": port}],
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10},
        "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],
    }


def once(file: str) -> Object:
    """The startup probe of a native sidecar that is ready once it has written a file: what comes
    after it starts then. In five minutes without one it is started again.
    """
    command = ["/bin/sh", "-c", f"[ -e {file} ]"]
    return {"exec": {"command": command}, "periodSeconds": 1, "failureThreshold": 300}


def own_port(port: int) -> int:
    """The port of an nginx that answers its sidecar too. Raises ValueError for that other one."""
    if port == GENERATION_PORT:
        raise ValueError(f"port: found {port}, allowed is any other")
    return port


def empty_dir(name: str, size: str) -> Object:
    """A volume as old as its pod; one that outgrows its size gets the pod evicted."""
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def memory(name: str, size: str) -> Object:
    """A volume for what must not reach a disk; it counts as memory of whoever writes to it.

    https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
    """
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
