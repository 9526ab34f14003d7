"""Creates an object with POST, or asks in a preview whether the API server would take it."""

import re
import time
from collections.abc import Awaitable, Callable

from tools.provider.errors import ApiError
from tools.provider.objects import FIELD_MANAGER, Api, Ref
from tools.status import Object, entries

_RETRY_S = 10.0
"""How long a create is tried again while the cluster is only just becoming ready for it."""

_PAUSE_S = 0.3

_NOT_YET = re.compile(
    r"status unknown for quota|service ?account .*not found|namespaces .*not found"
)
"""A new namespace gets its default service account a moment later, a new quota its status."""

_NO_ROOM_YET = re.compile(r"exceeded quota")
"""A quota counts an object a moment longer than it exists: only of use when replacing it."""

_MAY_COME = re.compile(r"not found|status unknown for quota")
"""A preview cannot tell whether the same run creates what is missing."""


async def create(
    api: Api,
    ref: Ref,
    obj: Object,
    replacing: bool,
    pause: Callable[[float], Awaitable[None]],
    say: Callable[[str], Awaitable[None]],
) -> Object:
    """POST the object. `replacing`: an earlier one of its name has just been deleted.

    Raises ApiError with the API server's message, also if an object of that name exists.
    """
    deadline = time.monotonic() + _RETRY_S
    while True:
        try:
            return await api.create(ref, obj)
        except ApiError as error:
            passing = _NOT_YET.search(str(error))
            if replacing:
                passing = passing or _NO_ROOM_YET.search(str(error))
            if not passing or time.monotonic() >= deadline:
                raise
            await say(f"trying again: {error}")
        await pause(_PAUSE_S)


async def preview(
    api: Api, ref: Ref, obj: Object, replacing: bool, warn: Callable[[str], Awaitable[None]]
) -> None:
    """Ask the API server, by dry run, whether it would take the object.

    `replacing`: the state is known to hold an earlier object of its name.

    Raises ApiError with its message if it would not. What the same run may still change is no
    error: a namespace or a service account that is missing, the predecessor of a replacement that
    still exists, and (with a warning) a quota.
    """
    try:
        await api.create(ref, obj, dry_run=True)
    except ApiError as error:
        if error.reason == "AlreadyExists" and (replacing or await _is_ours(api, ref)):
            return
        if error.code in (403, 404) and _MAY_COME.search(str(error)):
            return
        if _NO_ROOM_YET.search(str(error)):
            if not replacing:
                await warn(f"as things stand, the create would fail: {error}")
            return
        raise


async def _is_ours(api: Api, ref: Ref) -> bool:
    """Whether Pulumi made the object: with `--replace` the engine does not say that it holds it."""
    live = await api.get(ref) or {}
    managers = [entry.get("manager") for entry in entries(live, "metadata", "managedFields")]
    return FIELD_MANAGER in managers
