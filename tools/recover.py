"""Makes a stack usable again after `pulumi` was killed in the middle.

What it leaves behind is its lock, and operations that the state has as begun. Of an update or a
delete a refresh tells what became of it. Of a create only the cluster knows whether it was done:
where it was, the object is put into the state, as the engine would have done. Its own way for
that, `pulumi refresh --import-pending-creates`, forgets the object.
https://www.pulumi.com/docs/iac/operations/troubleshooting/interrupted-updates/
"""

import json
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError, ResourceNotFoundError
from urllib3.exceptions import HTTPError

from stacks.settings import PROJECT
from tools.errors import CommandError
from tools.target import Target

Object = dict[str, Any]

_MANAGER = "pulumi-kubernetes"
"""How the name begins under which the provider writes objects."""


class Pulumi(Protocol):
    """Runs a `pulumi` command on the stack; what it prints is shown, or returned if quiet."""

    def __call__(self, *words: str, quiet: bool = False) -> str: ...


def recover(
    stack: str, backend: str, pulumi: Pulumi, target: Target, report: Callable[[str], None]
) -> None:
    """Remove the lock, settle what had begun, refresh the state.

    `backend` is the URL of what holds the state. Raises CommandError, before anything is changed,
    if an update of the stack still runs here or the cluster can't be asked.
    """
    url = urlsplit(backend)
    if url.scheme == "file":
        folder = Path(url.netloc + url.path).expanduser() / ".pulumi"
        _check_ended(stack, folder)
        _remove_torn(folder)
    state = json.loads(pulumi("stack", "export", quiet=True))
    deployment: Object = state["deployment"]
    begun: list[Object] = deployment.pop("pending_operations", None) or []
    client = cast(Any, config).new_client_from_config(target.kubeconfig, context=target.context)
    for operation in begun:
        known: Object = operation["resource"]
        name = known["urn"].rpartition("::")[2]
        kind = known["type"].rpartition(":")[2]
        if operation["type"] != "creating":
            report(f"{kind} {name} was interrupted while {operation['type']}")
            continue
        found, said = _created(client, known)
        report(f"{kind} {name} was interrupted while creating: {said}")
        if found:
            _adopt(deployment["resources"], {**known, "id": found})
    pulumi("cancel", "--yes", quiet=True)
    if begun:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(state, file)
            file.flush()
            pulumi("stack", "import", "--file", file.name, quiet=True)
    pulumi("refresh", "--yes", "--skip-preview", "--suppress-outputs")
    report("The next up goes on from here." if begun else "Nothing was interrupted.")


def _check_ended(stack: str, folder: Path) -> None:
    """Raises CommandError if a process of this machine holds the stack's lock.

    Of other machines, and of backends other than files, nobody here can tell.
    """
    for file in (folder / "locks").glob(f"organization/{PROJECT}/{stack}/*.json"):
        lock = json.loads(file.read_text())
        if lock["hostname"] == socket.gethostname() and _is_pulumi(lock["pid"]):
            raise CommandError(
                f"An update of stack {stack} is under way, in process {lock['pid']}:"
                " wait for it, or end it with Ctrl-C."
            )


def _remove_torn(folder: Path) -> None:
    """Remove the attributes that were not written to the end: nobody needs them.

    The state itself is replaced as a whole; but with empty attributes beside it, the engine says
    `failed to load checkpoint: EOF`.
    """
    for file in folder.rglob("*.attrs"):
        if file.stat().st_size == 0:
            file.unlink()


def _is_pulumi(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A later process may have got the number. Only Linux can tell.
        name = Path(f"/proc/{pid}/comm")
        return not name.exists() or name.read_text().strip() == "pulumi"
    except PermissionError:
        return True
    except (ProcessLookupError, FileNotFoundError):
        return False


def _created(client: Any, known: Object) -> tuple[str, str]:
    """The ID of the object if Pulumi created it, else an empty text; and what became of it."""
    inputs: Object = known.get("inputs") or {}
    missing = "there is none, and the next up creates it"
    if not known["type"].startswith("kubernetes:"):
        return "", missing
    metadata = inputs["metadata"]
    try:
        kinds: Any = cast(Any, DynamicClient)(client).resources
        kind = kinds.get(api_version=inputs["apiVersion"], kind=inputs["kind"])
        live: Any = kind.get(name=metadata["name"], namespace=metadata.get("namespace"))
    except (NotFoundError, ResourceNotFoundError):
        return "", missing
    except DynamicApiError as error:
        raise CommandError(f"The cluster doesn't say what exists: {error.summary()}") from None
    except HTTPError as error:
        raise CommandError(f"The cluster can't be asked what exists: {error}") from None
    managers: list[Any] = live.metadata.managedFields or []
    if not any((item.manager or "").startswith(_MANAGER) for item in managers):
        return "", "somebody else's is there, and stays as it is"
    namespace = live.metadata.namespace
    found = f"{namespace}/{live.metadata.name}" if namespace else live.metadata.name
    return found, "it exists, and is now in the state"


def _adopt(resources: list[Object], created: Object) -> None:
    """Put a created object into the state: at the end, or in the place of its predecessor."""
    for place, known in enumerate(resources):
        if known["urn"] == created["urn"] and not known.get("delete"):
            resources[place] = created
            if not known.get("pendingReplacement"):
                # The predecessor still exists: the next up deletes it.
                resources.append({**known, "delete": True})
            return
    resources.append(created)
