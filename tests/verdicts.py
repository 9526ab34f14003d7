"""The tables of edits as a page for readers: `python -m tests.verdicts > docs/verdicts.md`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from stacks.settings import PROJECT
from tests.edits import EDITS, PUBLISHED, Config, Edit
from tests.object_edits import OBJECT_EDITS, ObjectEdit
from tools.diff.compare import compare
from tools.diff.model import Item, Verdict
from tools.diff.sides import project_settings
from tools.paths import ROOT
from tools.render import render

_INTRODUCTION = f"""# Verdicts

What becomes of each object when a stack's file or an object is edited. `make diff` says it without
a cluster, and `make test` holds it to the first column. The engine does it: `make e2e` and `make
e2e-long` deploy what was there before each edit, and hold `pulumi preview` to the second column
with the stand-in for the published Kubernetes plugin, or to the third with the plugin itself,
where that is at hand. The third was recorded with the plugin built from its source after version
{PUBLISHED}.

What a row does not name stays as it is. `fail` means that there is no preview, because the API
server refuses the update that the plugin tries:
- Some fields that cannot change it does not know. `make diff` and the stand-in say what then
  helps, a replacement; `replace_on_changes` brings it about, and the demos' bare Pods have it.
- From an object that it has created and never updated, its dry run takes nothing away, so that two
  ports or containers are called alike. The update itself works: `pulumi up --skip-preview`.

This page is made by `python -m tests.verdicts`.
"""

_HEAD = """
| edit | `make diff` | engine, stand-in | engine, published plugin |
| --- | --- | --- | --- |
"""


def rendered(config: Config) -> list[Item]:
    """The objects of a stack's file."""
    own = {f"{PROJECT}:{key}": config[key] for key in config}
    # As the engine knows them: two secrets that differ are no difference once they are hidden.
    found = render("edited", secrets=True, config=own)
    return [Item(item.object, item.urn, item.options) for item in found]


def compared(
    before: Iterable[Item], after: Iterable[Item], settings: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """What `make diff` says of each object that changes, by kind and name.

    `settings` are the provider's.
    """
    return {
        f"{change.item.kind}/{change.item.name}": change.verdict.value
        for change in compare([*before], [*after], dict(settings or {}))
        if change.verdict is not Verdict.NONE
    }


def edited(edit: Edit) -> dict[str, str]:
    """The same of an edit of a stack's file."""
    settings = project_settings(ROOT)
    return compared(rendered(edit.before), rendered(edit.after), settings)


def page() -> str:
    """The page, in Markdown."""
    stacks = "".join(map(_stack_row, EDITS))
    objects = "".join(map(_object_row, OBJECT_EDITS))
    return (
        f"{_INTRODUCTION}\n## Edits of a stack's file\n{_HEAD}{stacks}"
        f"\n## Edits of one object\n{_HEAD}{objects}"
    )


def _stack_row(edit: Edit) -> str:
    diff = edited(edit)
    verdicts = _told(edit.verdicts)
    return _row(edit.name, _told(diff), verdicts, edit.published or verdicts)


def _object_row(edit: ObjectEdit) -> str:
    diff = compared([Item(edit.before, "it")], [Item(edit.after, "it")])
    (verdict,) = diff.values() or ("none",)
    return _row(edit.name, verdict, edit.verdict, edit.published or edit.verdict)


def _told(verdicts: Mapping[str, str]) -> str:
    """The kinds of the objects, after what becomes of them."""
    kinds = Counter((verdicts[name], name.partition("/")[0]) for name in sorted(verdicts))
    told = {
        verdict: ", ".join(
            f"{number} {kind}" if number > 1 else kind
            for (found, kind), number in kinds.items()
            if found == verdict
        )
        for verdict, _ in kinds
    }
    return "; ".join(f"{verdict} {told[verdict]}" for verdict in told) or "none"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    print(page(), end="")
