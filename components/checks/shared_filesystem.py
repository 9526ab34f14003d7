"""The page changes at the sidecar's pace, whole, and the app can't write."""

from ..shared_filesystem import PAGES, SharedFilesystemArgs
from . import SLACK, Check, Live, UnmetError, parse_date, read_only

READS = 1000

READ = 0.25
"""Seconds that a read may take on its way through the cluster."""

ATTEMPTS = 3
"""How many pairs of pages are looked at until one has the right distance."""


def checks(args: SharedFilesystemArgs) -> list[Check]:
    """What must be true of a pod of SharedFilesystem."""
    interval, port = args.get("interval_seconds", 10), args.get("port", 8080)
    # The sidecar sleeps after each publication, and a busy node lets it wait.
    slowest = interval + max(2, interval // 5)

    def page_changes(live: Live) -> str:
        with live.http(port) as get:

            def change(page: str) -> str:
                def look() -> str:
                    found = get().text
                    if found == page:
                        raise UnmetError(f"always the same page, {page.strip()!r}")
                    return found

                return live.until(look)

            page, steps = get().text, list[float]()
            while len(steps) < ATTEMPTS:
                following = change(page)
                dates = parse_date(page), parse_date(following)
                if dates[0] is None or dates[1] is None:
                    raise UnmetError(f"pages that are no dates: {page!r}, {following!r}")
                steps.append(dates[1] - dates[0])
                if interval <= steps[-1] <= slowest:
                    return f"two pages, published {steps[-1]:.0f} s apart"
                # A page may have been missed, or the sidecar have been started again.
                page = following
            raise UnmetError(
                f"pages published {', '.join(f'{step:.0f}' for step in steps)} s apart"
            )

    def whole_pages(live: Live) -> str:
        # Long enough for a publication to fall among the reads, unless it is a rare one.
        span = min(interval, 30) + 1
        pages: set[str] = set()
        times: list[float] = []
        with live.http(port) as get:
            while len(times) < READS:
                page = get()
                if not page.text.endswith("\n") or parse_date(page.text) is None:
                    raise UnmetError(f"read {len(times) + 1} was {page.text!r}")
                pages.add(page.text)
                times.append(page.seconds)
                pause = max(0, span / READS - page.seconds)
                live.pause(pause, f"only {len(times)} reads in time, all whole")
        median = sorted(times)[READS // 2] * 1000
        return f"{READS:,} whole reads of {len(pages)} pages, {median:.1f} ms each (median)"

    return [
        Check(
            "page changes",
            f"the page that nginx serves is a new date every {interval} s, at most {slowest} s",
            ATTEMPTS * slowest + SLACK,
            page_changes,
        ),
        Check(
            "pages are whole",
            f"none of {READS:,} reads is empty or torn",
            READS * READ + SLACK,
            whole_pages,
        ),
        read_only("main-app", PAGES),
    ]
