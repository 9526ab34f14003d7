"""A report as one HTML page that needs nothing else, with a picture of each pod.

What manifests hold is others' text: the templates escape all of it, and the page's own policy
lets nothing run or be loaded, and no style but the page's own apply.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.usage import RESOURCE_NAMES, texts
from tools.report.layout import WIDTH, laid_out
from tools.report.model import Report
from tools.report.words import amounts, share
from tools.text import printable

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'"


def show(report: Report) -> str:
    """The page."""
    style = (_FOLDER / "style.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    def used(key: str, limits: Mapping[str, str]) -> tuple[int, str]:
        return share(report.totals[key], limits[key])

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return environment.get_template("page.html").render(
        report=report,
        totals=texts(report.totals),
        names=RESOURCE_NAMES,
        policy=f"{_POLICY}; style-src 'sha256-{digest}'",
        style=style,
        width=WIDTH,
        amounts=amounts,
        laid_out=laid_out,
        used=used,
    )


def _shown(value: Any) -> Any:
    """Numbers without a long tail, and others' texts without control characters."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
