"""Which cluster a stack goes to, and what runs there."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
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
    pinned = config.get("kubernetes:kubeconfig", "")
    if pinned and context and context != named:
        # The provider reads that file alone, and takes its current context.
        raise CommandError(
            f"CONTEXT: the file of stack {stack} names a kubeconfig; name the context there too:"
            f" pulumi config set kubernetes:context {context} --stack {stack}"
        )
    found = pinned or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"
    return _read(str(found), named or context)


def _read(kubeconfig: str, wanted: str) -> Target:
    """The context that is wanted, or the current one, of a kubeconfig or several."""
    clusters: dict[str, str] = {}
    current = ""
    for file in map(Path, kubeconfig.split(os.pathsep)):
        path = paths.ROOT / file.expanduser()
        if not path.exists():
            continue
        try:
            content: Any = yaml.safe_load(path.read_text())
            contexts: list[dict[str, Any]] = content.get("contexts") or []
            for item in contexts:
                clusters.setdefault(item["name"], item["context"]["cluster"])
            # Of several files the first that names one counts.
            current = current or content.get("current-context", "")
        except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise CommandError(f"KUBECONFIG: {path} can't be read: {error!r}") from None
    if not clusters:
        raise CommandError(f"KUBECONFIG: {kubeconfig} has no context; whose cluster should it be?")
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
