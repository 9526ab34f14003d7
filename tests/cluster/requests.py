"""What the stand-in has asked of the API server, as its audit log has it."""

import json
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from tests.cluster.program import Object
from tools.cluster.state import AUDIT
from tools.provider.cluster import USER_AGENT

Requests = Counter[str]
"""How many, by verb; those of a dry run are `dry-create`, `dry-patch`."""


@contextmanager
def counted(namespace: str) -> Generator[Requests]:
    """Counts the requests that are about a namespace and what is in it, until the block ends."""
    found: Requests = Counter()
    file = AUDIT.open()
    try:
        file.seek(0, 2)
        yield found
        for line in _lines(file.read()):
            about: Object = line.get("objectRef", {})
            inside = about.get("namespace") == namespace
            if line.get("userAgent") == USER_AGENT and inside:
                dry = "dry-" if "dryRun=All" in line["requestURI"] else ""
                found[dry + line["verb"]] += 1
    finally:
        file.close()


def _lines(text: str) -> Iterator[Object]:
    return (json.loads(line) for line in text.splitlines())
