"""Makes a file of the kubeconfig that a workflow has as a secret."""

from collections.abc import Mapping
from pathlib import Path

from tools.errors import CommandError


def write(environment: Mapping[str, str]) -> None:
    """Write KUBECONFIG_CONTENT to the new file KUBECONFIG, readable for its owner alone.

    Raises CommandError if one of them isn't set, or there is such a file: it may be somebody's.
    """
    content = environment.get("KUBECONFIG_CONTENT", "").strip()
    if not content:
        raise CommandError(
            "KUBECONFIG_CONTENT: found nothing, allowed is a kubeconfig."
            " A workflow takes it from its environment's secret KUBECONFIG."
        )
    name = environment.get("KUBECONFIG", "")
    if not name:
        raise CommandError("KUBECONFIG: found nothing, allowed is the path of the file to write")
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise CommandError(f"KUBECONFIG: {path} exists, and stays as it is") from None
    path.write_text(f"{content}\n")
