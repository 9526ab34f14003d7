"""The pictures in docs/: drawn in D2, rendered to SVG.

A picture ends with the digest of what it was rendered from, so that tests see
without D2 whether `make docs` has been forgotten.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tools.paths import GO, ROOT, built
from tools.programs import run

DOCS = ROOT / "docs"
STYLE = DOCS / "style.d2"
"""What all pictures import."""

# Denser than D2 does it by default: a picture is as wide as a page's column.
_LAYOUT = (
    "--elk-padding=[top=40,left=20,bottom=20,right=20]",
    "--elk-nodeNodeBetweenLayers=40",
    "--elk-edgeNodeBetweenLayers=15",
)
_RENDERING = ("--scale=1", "--omit-version", "--no-xml-tag", *_LAYOUT)


def sources() -> list[Path]:
    """The source of each picture."""
    return sorted(set(DOCS.glob("*.d2")) - {STYLE})


def mark(source: Path) -> str:
    """The last line of the picture that is rendered from this source."""
    digest = hashlib.sha256(" ".join(_RENDERING).encode())
    for file in (GO / "d2" / "go.mod", STYLE, source):
        digest.update(file.read_bytes())
    return f"<!-- {source.name} {digest.hexdigest()} -->\n"


def render(say: Callable[[str], None]) -> None:
    """Render every picture anew."""
    for source in sources():
        picture = source.with_suffix(".svg")
        drawn = run(str(built("d2") / "d2"), *_RENDERING, str(source), "-")
        picture.write_text(f"{drawn.rstrip()}\n{mark(source)}")
        say(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")
