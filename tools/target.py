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
    current: dict[str, Any]
    try:
        contexts, current = cast(Any, config).list_kube_config_contexts(kubeconfig)
    except config.ConfigException as error:
        raise CommandError(f"KUBECONFIG: {error}") from None
    clusters: dict[str, str] = {item["name"]: item["context"]["cluster"] for item in contexts}
    name = wanted or current["name"]
    if name not in clusters:
        raise CommandError(f"CONTEXT: found {name!r}, {kubeconfig} has {', '.join(clusters)}")
    if name != current["name"]:
        # The first file that names a current context wins.
        choice = paths.LOCAL / "contexts" / f"{quote(name, safe='')}.yaml"
        choice.parent.mkdir(parents=True, exist_ok=True)
        choice.write_text(
            yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": name})
        )
        kubeconfig = f"{choice}{os.pathsep}{kubeconfig}"
    return Target(name, clusters[name], kubeconfig)
