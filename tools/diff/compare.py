"""Two lists of objects, compared: what the engine would do with each."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from tools.diff.fields import differences
from tools.diff.immutable import covers, parsed, replaces
from tools.diff.model import Change, Field, Item, Object, Verdict


def compare(
    old: Sequence[Item], new: Sequence[Item], settings: Object | None = None
) -> list[Change]:
    """What differs, what is most serious first. `settings` are the provider's.

    The engine knows objects by their URNs; where a renderer doesn't tell them, Kubernetes' own
    identity stands in.
    """
    urns = all(item.urn for item in [*old, *new])
    before, after = _by_key(old, urns), _by_key(new, urns)
    found: list[Change] = []
    for key in dict.fromkeys([*before, *after]):
        if key not in after:
            found.append(_only(Verdict.DELETE, before[key], None, new))
        elif key not in before:
            found.append(_only(Verdict.CREATE, None, after[key], old))
        else:
            change = _both(before[key], after[key], settings or {})
            if change is not None:
                found.append(change)
    return sorted(found, key=_rank)


def _by_key(items: Iterable[Item], urns: bool) -> dict[Hashable, Item]:
    """The objects by what they are known by; what comes twice is numbered."""
    seen: Counter[Hashable] = Counter()
    found: dict[Hashable, Item] = {}
    for item in items:
        key = item.urn if urns else item.identity
        found[key, seen[key]] = item
        seen[key] += 1
    return found


def _rank(change: Change) -> tuple[int, str, str, str, str]:
    item = change.item
    return [*Verdict].index(change.verdict), item.kind, item.namespace, item.name, item.urn


def _only(verdict: Verdict, old: Item | None, new: Item | None, others: Sequence[Item]) -> Change:
    """An object that one side lacks, under this name at least."""
    change = Change(verdict, old, new)
    notes: list[str] = []
    twin = next((item for item in others if item.identity == change.item.identity), None)
    if twin is not None and verdict is Verdict.CREATE:
        notes.append(
            f"It exists already, and Pulumi knows it as {twin.urn}: creating it will fail. Give"
            " the new resource the old one's name, or an alias."
        )
    if old is not None and old.options.get("protect"):
        notes.append(_PROTECTED)
    return replace(change, notes=notes)


_PROTECTED = "It is protected: Pulumi refuses to delete it."


def _both(old: Item, new: Item, settings: Object) -> Change | None:
    """An object that both sides have; None if it stays exactly as it is."""
    ignored = [parsed(path) for path in new.options.get("ignoreChanges", [])]
    fields: list[Field] = []
    for field in differences(old.object, new.object):
        if any(covers(path, field.path) for path in ignored):
            fields.append(replace(field, ignored=True))
        else:
            fields.append(replace(field, replaces=replaces(field, new, settings)))
    # Options are told along with the URN.
    known = bool(old.urn and new.urn)
    options = differences(old.options, new.options) if known else []
    if not fields and not options:
        return None
    if all(field.ignored for field in fields):
        return Change(Verdict.NONE, old, new, fields, options)
    if not any(field.replaces for field in fields):
        return Change(Verdict.UPDATE, old, new, fields, options)
    stays = (old.namespace, old.name) == (new.namespace, new.name)
    first = stays or bool(new.options.get("deleteBeforeReplace"))
    notes = [_PROTECTED] if old.options.get("protect") else []
    return Change(Verdict.REPLACE, old, new, fields, options, first, notes)
