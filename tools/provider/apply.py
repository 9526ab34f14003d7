"""Updates an object without overwriting what somebody else set.

Server-side apply without force does most of it: the API server refuses (409) to change a field
that somebody else owns. Three cases need care.

The POST that creates an object makes us the owner by `Update`, and to the API server that is not
the owner by `Apply`: nothing would ever be taken away. So after it, or with the first update, the
one ownership is turned into the other, as kubectl does:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply.

A field under `ignore_changes` that somebody else changed is left out: it is theirs.

A field that somebody else changed and a refresh then recorded is in the state, and the engine
showed in its preview what becomes of it. Only then, when every value that would be overwritten
is the one the state holds, the fields are taken over; and only in the version of the object that
was looked at, so that no later edit is lost.
"""

import copy
from typing import Any

from tools.provider.diff import differences
from tools.provider.drift import declared_part
from tools.provider.errors import ApiError, ProviderError
from tools.provider.objects import FIELD_MANAGER, Api, Ref
from tools.provider.paths import Path, below, get, touches
from tools.status import Object, entries, is_list, is_map, section

_ATTEMPTS = 5
"""An object that changed between two of our requests is looked at again, this often."""


async def update(
    api: Api, ref: Ref, old: Object, new: Object, ignored: list[Path], dry_run: bool
) -> Object:
    """Make the object what the new inputs say; returns it as the API server answered.

    Raises ApiError with the API server's message, also for a conflict; ProviderError if the object
    is gone.
    """
    for attempt in range(_ATTEMPTS):
        live = await api.get(ref)
        if live is None:
            raise ProviderError(
                f"{ref} is gone: somebody else deleted it; after `pulumi refresh`, `pulumi up` "
                "creates it again."
            )
        try:
            return await _update(api, ref, live, old, _theirs_left_out(new, live, ignored), dry_run)
        except ApiError as error:
            if not _changed_meanwhile(error) or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def own(api: Api, ref: Ref, live: Object) -> Object:
    """Own by `Apply` what was just created, so that the first update's dry run tells the truth.

    Never fails, for the object exists; where it doesn't succeed, the first update does it.
    """
    try:
        for _ in range(_ATTEMPTS):
            try:
                return await _own_by_apply(api, ref, live)
            except ApiError as error:
                if not _changed_meanwhile(error):
                    raise
            live = await api.get(ref) or live
    except ProviderError:
        pass
    return live


async def _update(
    api: Api, ref: Ref, live: Object, old: Object, new: Object, dry_run: bool
) -> Object:
    if not dry_run:
        live = await _own_by_apply(api, ref, live)
    try:
        return await api.apply(ref, new, dry_run)
    except ApiError as error:
        if error.code != 409 or not error.causes:
            raise
        if not _all_known(live, old, new):
            hint = "`pulumi refresh` shows what they set; the next `pulumi up` then replaces it"
            error.args = (f"{error}\n{hint}",)
            raise
    pinned = copy.deepcopy(new)
    pinned["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    return await api.apply(ref, pinned, dry_run, force=True)


def _changed_meanwhile(error: ApiError) -> bool:
    # A conflict about a field names it; one about the object's version names none.
    return error.code == 409 and not error.causes


def _all_known(live: Object, old: Object, new: Object) -> bool:
    """Whether every live value that the new inputs overwrite is the one the old inputs hold."""
    overwritten, recorded = declared_part(live, new), declared_part(live, old)
    for path in differences(overwritten, new):
        if get(old, path) is None:
            if get(overwritten, path) is not None:
                return False
        elif get(recorded, path) != get(old, path):
            return False
    return True


def _theirs_left_out(new: Object, live: Object, ignored: list[Path]) -> Object:
    """The new inputs without the ignored fields whose live value is no longer ours."""
    result = copy.deepcopy(new)
    for path in reversed(differences(declared_part(live, new), new)):
        for pattern in ignored:
            if touches(path, pattern):
                _remove(result, path if below(path, pattern) else pattern)
    return result


def _remove(value: Any, path: Path) -> None:
    holder, last = get(value, path[:-1]), path[-1]
    if is_map(holder):
        holder.pop(str(last), None)
    elif is_list(holder) and isinstance(last, int):
        del holder[last : last + 1]


async def _own_by_apply(api: Api, ref: Ref, live: Object) -> Object:
    """Turn what this provider owns by `Update` into what it owns by `Apply`."""
    managed = entries(live, "metadata", "managedFields")
    created = [entry for entry in managed if _ours(entry, "Update")]
    if not created:
        return live
    applied = [entry for entry in managed if _ours(entry, "Apply")]
    kept = [entry for entry in managed if entry not in created and entry not in applied]
    fields: Object = {}
    for entry in created + applied:
        fields = _union(fields, section(entry, "fieldsV1"))
    merged = {**created[0], "operation": "Apply", "fieldsV1": fields}
    return await api.json_patch(
        ref,
        [
            {"op": "replace", "path": "/metadata/managedFields", "value": [*kept, merged]},
            # Refused (409) if the object has changed since it was read.
            {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": live["metadata"]["resourceVersion"],
            },
        ],
    )


def _ours(entry: Object, operation: str) -> bool:
    return (
        entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == operation
        and not entry.get("subresource")
    )


def _union(one: Object, other: Object) -> Object:
    return one | {key: _union(one.get(key, {}), value) for key, value in other.items()}
