"""The page changes at the sidecar's pace, whole, and the app can't write."""

from ..shared_filesystem import PAGES, SharedFilesystemArgs
from . import SLACK, Check, Live, UnmetError, parse_date, read_only

READS = 1000


def checks(args: SharedFilesystemArgs) -> list[Check]:
    """What must be true of a pod of SharedFilesystem."""
    interval, port = args.get("interval_seconds", 10), args.get("port", 8080)
    # The sidecar sleeps after each publication, and a busy node lets it wait.
    slowest = interval + max(2, interval // 5)

    def page_changes(live: Live) -> str:
        with live.http(port) as get:
            first = get().text

            def look() -> str:
                page = get().text
                if page == first:
                    raise UnmetError(f"always the same page, {first.strip()!r}")
                return page

            second = live.until(look)
        dates = parse_date(first), parse_date(second)
        if dates[0] is None or dates[1] is None:
            raise UnmetError(f"pages that are no dates: {first!r}, {second!r}")
        step = dates[1] - dates[0]
        if not interval <= step <= slowest:
            raise UnmetError(f"two pages published {step:.0f} s apart")
        return f"two pages, published {step:.0f} s apart"

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
                live.pause(max(0, span / READS - page.seconds), f"{len(times)} reads")
        median = sorted(times)[READS // 2] * 1000
        return f"{READS:,} whole reads of {len(pages)} pages, {median:.1f} ms each (median)"

    return [
        Check(
            "page changes",
            f"the page that nginx serves is a new date every {interval} s",
            slowest + SLACK,
            page_changes,
        ),
        Check(
            "pages are whole",
            f"none of {READS:,} reads is empty or torn",
            min(interval, 30) + 4 * SLACK,
            whole_pages,
        ),
        read_only("main-app", PAGES),
    ]
