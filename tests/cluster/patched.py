"""Demos applied as they are rendered, but for a change that makes their pods fail."""

import json
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from components.secret_rotation import KEY
from tests import authority
from tests.cluster.project import Object, Project
from tools import engine
from tools.render import render, to_yaml


@contextmanager
def applied(
    project: Project,
    change: Callable[[str, Object], None] | None = None,
    available: bool = True,
) -> Generator[None]:
    """The demos of the project's stack, once all are available, and in the end removed.

    `change` gets the key of each demo and its pod's spec. With `available` false nothing is
    waited for.
    """
    objects = [item.object for item in render(engine.LOCAL, config=project.config)]
    for item in objects:
        if item["kind"] == "Secret":
            _fill(item)
        if change and item["kind"] == "Deployment":
            change(item["metadata"]["name"].removesuffix("-demo"), item["spec"]["template"]["spec"])
    text = "---\n".join(map(to_yaml, objects))
    try:
        _kubectl(project, "apply", "--server-side", "-f", "-", text=text)
        if named := [item["metadata"]["name"] for item in objects if item["kind"] == "Service"]:
            # Manifests name Services, and the local cluster has no DNS.
            text = _addressed(project, text, named)
            _kubectl(project, "apply", "--server-side", "-f", "-", text=text)
        if available:
            until = ("--for=condition=Available", "--timeout=180s")
            _kubectl(project, "wait", *until, "-n", project.namespace, "deployment", "--all")
        yield
    finally:
        _kubectl(project, "delete", "--ignore-not-found", "-f", "-", text=text)


def _fill(secret: Object) -> None:
    """Put something of its kind into a Secret: what is rendered shows none."""
    del secret["data" if "data" in secret else "stringData"]
    if secret["type"] == "kubernetes.io/tls":
        with tempfile.TemporaryDirectory() as folder:
            authority.make(Path(folder))
            files = {name: Path(folder, name).read_text() for name in ("tls.crt", "tls.key")}
    else:
        files = {KEY: secrets.token_hex()}
    secret["stringData"] = files


def _addressed(project: Project, text: str, services: list[str]) -> str:
    """Manifests with the addresses of Services in place of their names."""
    for name in services:
        answer = _kubectl(project, "get", "service", name, "-n", project.namespace, "-o", "json")
        address = json.loads(answer)["spec"]["clusterIP"]
        text = text.replace(f"{name}.{project.namespace}.svc", address)
    return text


def _kubectl(project: Project, *words: str, text: str = "") -> str:
    done = subprocess.run(
        ["kubectl", *words],
        env=project.env,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def container(spec: Object, name: str) -> Object:
    """A container of a pod's spec, whichever kind it is of."""
    found = [*spec.get("initContainers", []), *spec["containers"]]
    return next(item for item in found if item["name"] == name)


def insert(spec: Object, name: str, after: str, lines: str) -> None:
    """Put lines into the script or program that a container runs, after one of its own."""
    command = container(spec, name)["command"]
    text = command.index("-c") + 1
    before, line, rest = command[text].partition(f"{after}\n")
    assert line, f"{name} runs nothing with {after}"
    command[text] = f"{before}{line}{lines}\n{rest}"
