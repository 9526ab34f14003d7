"""fetch-plugin OFFER PLUGINS ENTRY BYTES INTERVAL: keep the link PLUGINS/current on the bundle
that the files in OFFER name: version, sha256, url and, if it is known, size. It is fetched,
at most BYTES; one with another digest or without the file ENTRY goes no further. What can't be
had is tried again after 1 s, 2 s, 4 s, up to INTERVAL, another offer at once. The bundle before
stays for those that still read it. What happens is in the log and in PLUGINS/status.
"""

import math
import re
import sys
from pathlib import Path
from typing import NamedTuple

from .basics import Report, end_when_told, text_of, uptime
from .bundle import RefusedError, keep, remove_but, switch, verify
from .changes import Changes
from .fetch import FetchError, fetch

BUNDLE = Path("/tmp/bundle")
"""Where what is fetched stands until it is unpacked."""


class Offer(NamedTuple):
    """Which bundle is wanted: what the files of these names have."""

    version: str
    sha256: str
    url: str
    size: str


def offered(folder: Path) -> Offer:
    """The first line of each file, empty if there is none.

    The kubelet swaps all files at once, behind a link, which is followed once.
    """
    there = (folder / "version").resolve().parent
    texts = [text_of(there / name) for name in Offer._fields]
    return Offer(*(text.partition("\n")[0].strip() for text in texts))


def linked(link: Path) -> str:
    """Where the link leads, nothing if there is none."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def take(offer: Offer, plugins: Path, entry: str, most: int) -> None:
    """Make what is offered the current bundle. Raises FetchError or RefusedError."""
    if not re.fullmatch("[0-9a-f]{64}", offer.sha256):
        raise RefusedError(f"'{offer.sha256}' is no sha256")
    if not re.fullmatch("[0-9]{0,15}", offer.size):
        raise RefusedError(f"'{offer.size}' is no size")
    try:
        directory, current = plugins / offer.sha256, plugins / "current"
        if not directory.exists():
            fetch(offer.url, BUNDLE, int(offer.size or most))
            verify(BUNDLE, offer.sha256, int(offer.size or 0))
            keep(BUNDLE, directory, entry, most)
        before = linked(current)
        if before != offer.sha256:
            switch(current, offer.sha256)
        remove_but(plugins, {offer.sha256, before})
    except OSError as error:
        raise RefusedError(str(error)) from None


def main(offers: str, plugins: str, entry: str, most: str, interval: str) -> None:
    end_when_told()
    folder, kept = Path(offers), Path(plugins)
    changes, report = Changes(folder), Report(kept / "status")
    using, tried, retry = linked(kept / "current"), None, 1
    while True:
        offer = offered(folder)
        if offer != tried:
            tried, retry = offer, 1
        try:
            take(offer, kept, entry, int(most))
        except (FetchError, RefusedError) as error:
            retry = min(retry, int(interval))
            fault = "refused" if isinstance(error, RefusedError) else "cannot fetch"
            stays = f", {using} stays" if using else ""
            report(f"{fault} {offer.version}{stays}: {error}; trying again in {retry} s")
            due = uptime() + retry
            retry *= 2
        else:
            using, due = offer.version, math.inf
            report(f"using {offer.version}, sha256 {offer.sha256}")
        while offered(folder) == offer and (left := due - uptime()) > 0:
            changes.wait(min(left, int(interval)))


if __name__ == "__main__":
    main(*sys.argv[2:])
