"""The app sees the initial configuration first and updates later, and can't write."""

from ..init_sidecar import APP_DIRECTORY, InitSidecarArgs
from . import SLACK, Check, Line, Live, UnmetError, newest, parse_date, read_only
from .status import completed, restarts, started


def checks(args: InitSidecarArgs) -> list[Check]:
    """What must be true of a pod of InitSidecar."""
    interval = args.get("interval_seconds", 60)
    app_interval = args.get("app_interval_seconds", 30)
    # A busy node lets the updater wait.
    oldest = interval + SLACK
    initial = args.get("initial_text", "Initial config").split("\n")[0]
    updated = args.get("updated_text", "Updated config").split("\n")[-1]

    def update(line: Line) -> float | None:
        """When the configuration in a line was written, None if it is no update."""
        text = line.text
        return parse_date(text.removeprefix(updated)) if text.startswith(updated) else None

    def initial_first(live: Live) -> str:
        pod = live.pod()
        begun = started(pod, "main-app")
        if begun is None or not completed(pod, "init-config", before=begun):
            raise UnmetError("the app did not start after init-config had ended with exit code 0")
        newest(live, "main-app")
        lines = live.first_lines("main-app")
        if not lines:
            raise UnmetError("nothing in the app's log")
        # A log is cut off at its head when it is long; an app that was restarted sees what is
        # there by then.
        whole = restarts(pod, "main-app") == 0 and lines[0].time < begun + app_interval
        if lines[0].text != initial and (whole or update(lines[0]) is None):
            raise UnmetError(f"the app's first line is {lines[0].text!r}")
        return f"first line {lines[0].text!r}"

    def updated_later(live: Live) -> str:
        start = newest(live, "main-app")

        def look() -> str:
            lines = live.last_lines("main-app", 1)
            if not lines or lines[-1].time <= start:
                raise UnmetError("the app prints nothing")
            written = update(lines[-1])
            if written is None:
                raise UnmetError(f"the app's last line is {lines[-1].text!r}")
            age = lines[-1].time - written
            if age > oldest:
                raise UnmetError(f"{lines[-1].text!r}, {age:.0f} s old when the app printed it")
            return f"last line {lines[-1].text!r}"

        return live.until(look)

    return [
        Check(
            "initial config first",
            f"the app starts after init-config has ended, and its first line is {initial!r}",
            SLACK,
            initial_first,
        ),
        Check(
            "updated later",
            f"the app's last line is {updated!r} and a date, at most {oldest} s old",
            interval + app_interval + SLACK,
            updated_later,
        ),
        read_only("main-app", APP_DIRECTORY),
    ]
