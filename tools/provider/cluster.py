"""Whom the stand-in serves, and how it reaches the cluster.

Both checks come before the first request: a stand-in must never touch a cluster that somebody
uses, whatever the program or the environment says.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from tools.cluster.config import API
from tools.paths import CONTEXT
from tools.provider.errors import ProviderError

CONNECTIONS = 32
"""Requests under way at once, each on a connection that is kept; the engine's own default
parallelism is 4 times the number of cores."""

USER_AGENT = "sidecar-powers-stand-in"
"""What the API server's audit log calls the stand-in."""


def check_stack(urn: str) -> None:
    """Raises ProviderError unless the resource belongs to a stack that the stand-in serves.

    The stack is the URN's third part: https://www.pulumi.com/docs/iac/concepts/resources/names/.
    """
    parts = urn.split(":")
    stack = parts[2] if len(parts) > 2 else ""
    if stack != "local" and not stack.startswith("e2e-"):
        raise ProviderError(
            f"stack {stack!r} needs the published Kubernetes plugin: the one found on PATH is "
            "this project's stand-in, which serves only the stack 'local' on the local cluster."
        )


def connect(kubeconfig: str, context: str) -> tuple[client.ApiClient, str]:
    """A client for the local cluster, and the namespace that its context names (or "").

    Both arguments are the provider's settings and may be empty. `kubeconfig` is a path (`~` is
    expanded) or the file's contents, default $KUBECONFIG, then `~/.kube/config`; `context`
    defaults to the file's current one.
    See https://www.pulumi.com/registry/packages/kubernetes/api-docs/provider/.

    Raises ProviderError if the file can't be read, or names another context or server.
    """
    kube: Any = config
    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS
    chosen: dict[str, Any] = {"context": context or None, "client_configuration": settings}
    try:
        if _is_contents(kubeconfig):
            held = yaml.safe_load(kubeconfig)
            loader = kube.kube_config.KubeConfigLoader(held, active_context=context or None)
            listed, current = loader.list_contexts(), loader.current_context
            _check_context(context or current["name"])
            kube.load_kube_config_from_dict(held, **chosen)
        else:
            path = str(Path(kubeconfig).expanduser()) if kubeconfig else _default_path()
            listed, current = kube.list_kube_config_contexts(path)
            _check_context(context or current["name"])
            kube.load_kube_config(path, persist_config=False, **chosen)
    except (ConfigException, yaml.YAMLError, OSError) as error:
        raise ProviderError(f"the kubeconfig cannot be used: {error}") from error
    if settings.host != API:
        raise ProviderError(
            f"context {CONTEXT!r} leads to {settings.host}, and not to the local cluster at {API}:"
            " the stand-in for the published Kubernetes plugin touches no other."
        )
    local = next(item for item in listed if item["name"] == CONTEXT)
    made = client.ApiClient(settings)
    made.user_agent = USER_AGENT
    return made, local["context"].get("namespace") or ""


def _check_context(name: str) -> None:
    """Raises ProviderError unless this is the local cluster's context."""
    if name != CONTEXT:
        raise ProviderError(
            f"context {name!r} needs the published Kubernetes plugin: the one found on PATH is "
            f"this project's stand-in, which touches no cluster but the local one ({CONTEXT!r})."
        )


def _default_path() -> str:
    return os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())


def _is_contents(kubeconfig: str) -> bool:
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")
