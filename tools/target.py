"""Which cluster a stack goes to, and what runs there."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import yaml

from tools import engine, paths
from tools.errors import CommandError


@dataclass(frozen=True)
class Target:
    """A context of a kubeconfig."""

    context: str
    cluster: str
    kubeconfig: str
    """What KUBECONFIG must be for this context to be the current one."""


def target(stack: str, context: str) -> Target:
    """The cluster of a stack: the local one, the context its file names, the one given, or
    the current one. Raises CommandError where they contradict each other or there is none.
    """
    config = engine.stack_config(stack)
    named = config.get("kubernetes:context", "")
    if stack == engine.LOCAL:
        if context and context != paths.CONTEXT:
            raise CommandError(f"CONTEXT: stack {stack} goes only to the local cluster.")
        if not paths.KUBECONFIG.exists():
            raise CommandError("The local cluster does not run: `make up` starts it.")
        return _read(str(paths.KUBECONFIG), paths.CONTEXT)
    if named and context and named != context:
        raise CommandError(f"CONTEXT: found {context!r}, the file of stack {stack} names {named!r}")
    kubeconfig = str(
        config.get("kubernetes:kubeconfig")
        or os.environ.get("KUBECONFIG")
        or Path.home() / ".kube" / "config"
    )
    return _read(kubeconfig, named or context)


def _read(kubeconfig: str, wanted: str) -> Target:
    from kubernetes import config

    contexts: list[dict[str, Any]]
    try:
        contexts, _ = cast(Any, config).list_kube_config_contexts(kubeconfig)
    except config.ConfigException as error:
        raise CommandError(f"KUBECONFIG: {error}") from None
    clusters: dict[str, str] = {item["name"]: item["context"]["cluster"] for item in contexts}
    current = _current(kubeconfig)
    name = wanted or current
    if name not in clusters:
        raise CommandError(f"CONTEXT: found {name!r}, {kubeconfig} has {', '.join(clusters)}")
    if name != current:
        choice = paths.LOCAL / "contexts" / f"{quote(name, safe='')}.yaml"
        choice.parent.mkdir(parents=True, exist_ok=True)
        choice.write_text(
            yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": name})
        )
        kubeconfig = f"{choice}{os.pathsep}{kubeconfig}"
    return Target(name, clusters[name], kubeconfig)


def _current(kubeconfig: str) -> str:
    """The current context. Of several files the first that names one counts for kubectl and
    Pulumi, while the Python client takes the last.
    """
    for file in filter(os.path.exists, kubeconfig.split(os.pathsep)):
        content: dict[str, Any] = yaml.safe_load(Path(file).read_text()) or {}
        if content.get("current-context"):
            return content["current-context"]
    return ""
