"""The app runs the wanted bundle, can't write to it, and nothing is left of what came before."""

from ..dependency_injection import PLUGINS, DependencyInjectionArgs
from ..plugin_offer import greeter, offer
from . import SLACK, SYNC, Check, Live, UnmetError, newest, read_only

ENDED = "The plug-in has ended with exit code "
"""What the app says of a plug-in that fails."""

# The link's target, all files, and the status.
_STATE = f"readlink {PLUGINS}/current; ls -A {PLUGINS} | tr '\\n' ' '; echo; cat {PLUGINS}/status"


def checks(args: DependencyInjectionArgs) -> list[Check]:
    """What must be true of a pod of DependencyInjection."""
    wanted, pace = offer(args), args.get("app_interval_seconds", 10)
    digest, using = wanted["sha256"], f"using {wanted['version']}, sha256 {wanted['sha256']}"
    # The source's ConfigMap comes to its pod in its own time, and is asked for once an interval.
    taken = 2 * SYNC + args.get("interval_seconds", 60) + SLACK
    _, line = greeter(args)

    def state(live: Live) -> tuple[str, list[str], str]:
        link, files, *status = [*live.run("plugin-fetcher", _STATE).splitlines(), "", ""]
        return link, files.split(), " ".join(status).strip()

    def current(live: Live) -> str:
        def look() -> str:
            link, _, status = state(live)
            if (link, status) != (digest, using):
                raise UnmetError(f"current is {link or 'nothing'}; the fetcher says: {status}")
            return status

        return live.until(look)

    def tidy(live: Live) -> str:
        def look() -> str:
            link, files, _ = state(live)
            odd = [file for file in files if len(file) < 64 and file not in ("current", "status")]
            bundles = [file for file in files if len(file) == 64]
            if odd or link not in bundles or len(bundles) > 2:
                raise UnmetError(f"there is {' '.join(files)}")
            return f"{len(bundles)} bundles and nothing else"

        return live.until(look)

    def runs(live: Live) -> str:
        start = newest(live, "main-app")

        def look() -> str:
            last = live.last_lines("main-app", 1)[-1]
            if last.time <= start:
                raise UnmetError("the app prints nothing")
            if last.text.startswith(ENDED) or ("source" not in args and last.text != line):
                raise UnmetError(f"the app's last line is {last.text!r}")
            return f"last line {last.text!r}"

        return live.until(look)

    return [
        Check("bundle current", f"the fetcher is {using}", taken, current),
        Check(
            "plug-in runs",
            f"the app's last line is {line!r}" if "source" not in args else "the plug-in succeeds",
            taken + pace + SLACK,
            runs,
        ),
        Check("nothing left over", "there are two bundles at most", SLACK, tidy),
        read_only("main-app", PLUGINS),
    ]
