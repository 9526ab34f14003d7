"""The tables of edits as a page for readers: `python -m tests.verdicts > docs/verdicts.md`."""

from collections import Counter
from collections.abc import Iterable, Mapping

from stacks.settings import PROJECT
from tests.edits import EDITS, PUBLISHED, Config, Edit
from tests.object_edits import OBJECT_EDITS, ObjectEdit
from tools.diff.compare import compare
from tools.diff.model import Item, Verdict
from tools.render import render

_INTRODUCTION = f"""# Verdicts

What becomes of each object when a stack's file or an object is edited: what `make diff` says
without a cluster, and what Pulumi's engine does on one. `make test` holds the first column
against `make diff`. `make e2e` and `make e2e-long` deploy what was there before each edit and hold
the second column against `pulumi preview`. It is with the stand-in for the published Kubernetes
plugin, or with the plugin itself where that is at hand. The third column was recorded with the
plugin, built from its source after version {PUBLISHED}.

Objects that a row does not name stay as they are. `fail`: the plugin takes for an update what the
API server refuses, so that there is no preview; `make diff` and the stand-in say what then
helps. This page is made by `python -m tests.verdicts`.
"""

_HEAD = """
| edit | `make diff` | engine | published plugin |
| --- | --- | --- | --- |
"""


def rendered(config: Config) -> list[Item]:
    """The objects of a stack's file."""
    found = render("edited", config={f"{PROJECT}:{key}": config[key] for key in config})
    return [Item(item.object, item.urn, item.options) for item in found]


def compared(before: Iterable[Item], after: Iterable[Item]) -> dict[str, str]:
    """What `make diff` says of each object that changes, by kind and name."""
    return {
        f"{change.item.kind}/{change.item.name}": change.verdict.value
        for change in compare([*before], [*after])
        if change.verdict is not Verdict.NONE
    }


def page() -> str:
    """The page, in Markdown."""
    stacks = "".join(map(_stack_row, EDITS))
    objects = "".join(map(_object_row, OBJECT_EDITS))
    return (
        f"{_INTRODUCTION}\n## Edits of a stack's file\n{_HEAD}{stacks}"
        f"\n## Edits of one object\n{_HEAD}{objects}"
    )


def _stack_row(edit: Edit) -> str:
    diff = compared(rendered(edit.before), rendered(edit.after))
    published = {**edit.verdicts, **edit.published}
    return _row(edit.name, *map(_told, (diff, edit.verdicts, published)))


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
