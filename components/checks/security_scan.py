"""Files are as published, scans come in time, a planted file is found, the baseline is away."""

from ..security_scan import BASELINE, CONTENT, SOURCE, VERDICT, SecurityScanArgs
from . import SLACK, SYNC, Check, Live, UnmetError, read_only

# The seconds since the last scan, what it came to, and what is not allowed.
_STATE = f"""
echo $(($(date +%s) - $(stat -c %Y {VERDICT}/status)))
cat {VERDICT}/status {VERDICT}/findings
"""

# What of the sidecars the app's container can see: their processes, by their names as arguments,
# and their volumes. This text is an argument too, and none of the names alone.
_REACH = f"""
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -xE 'scanner|publisher'
ls -d {BASELINE} {SOURCE} /proc/[0-9]*/root{BASELINE} 2>/dev/null
mkdir {BASELINE} && rmdir {BASELINE} && echo {BASELINE} can be made
echo looked
"""

# A name that is free, of an empty file.
_PLANT = f"file=$(mktemp {CONTENT}/verify.XXXXXX) && echo $file"


def checks(args: SecurityScanArgs) -> list[Check]:
    """What must be true of a pod of SecurityScan."""
    interval = args.get("interval_seconds", 10)
    signals = args.get("action", "report") == "signal"

    def state(live: Live) -> tuple[int, str, list[str]]:
        age, status, *findings = [*live.run("scanner", _STATE).splitlines(), "", ""]
        if not age.isdecimal():
            raise UnmetError(f"no scan: {age} {status}".strip())
        return int(age), status, [line for line in findings if line]

    def clean(live: Live) -> str:
        def look() -> str:
            _, status, findings = state(live)
            if findings or not status.startswith("clean"):
                raise UnmetError("; ".join([status, *findings[:5]]))
            return status

        return live.until(look)

    def in_time(live: Live) -> str:
        ages: list[int] = []
        while live.elapsed < 2 * interval:
            age, _, _ = state(live)
            ages.append(age)
            if age > interval + SLACK:
                raise UnmetError(f"the last scan was {age} s ago")
            live.pause(max(1, interval / 2))
        return f"the last scan was never more than {max(ages)} s ago"

    def found(live: Live) -> str:
        file = live.run("main-app", _PLANT).strip()
        name = file.removeprefix(f"{CONTENT}/")
        if not file.startswith(f"{CONTENT}/verify."):
            raise UnmetError(f"planting a file answered {file!r}")
        started = live.elapsed

        def look() -> float:
            _, _, findings = state(live)
            if not any(line.startswith(f"added {name}: ") for line in findings):
                raise UnmetError(f"{name} is not found")
            return live.elapsed - started

        def gone() -> None:
            _, status, findings = state(live)
            if any(name in line for line in findings):
                raise UnmetError(f"{name} is removed, and the scanner says: {status}")

        try:
            seconds = live.until(look)
        finally:
            live.run("main-app", f"rm -f {file}")
        live.until(gone)
        if seconds > interval + SLACK:
            raise UnmetError(f"found only after {seconds:.0f} s")
        return f"found within {max(1, round(seconds))} s, and gone once it was removed"

    def away(live: Live) -> str:
        lines = [line for line in live.run("main-app", _REACH).splitlines() if line.strip()]
        reached = [line for line in lines if "Read-only file system" not in line]
        if reached != ["looked"]:
            raise UnmetError("; ".join(reached) or "no answer")
        return "neither the sidecars' processes nor their volumes are there"

    out_of_reach = Check(
        "baseline out of reach",
        "the app's container sees no process and no baseline of the sidecars, and can make none",
        SLACK,
        away,
    )
    planted = Check(
        "planted file found",
        f"an empty file that the app makes is found within {interval} s and is gone when removed",
        2 * (interval + SLACK),
        found,
    )
    return [
        Check(
            "files as published",
            "the volume has what the ConfigMap says, and nothing else",
            SYNC + 2 * interval + SLACK,
            clean,
        ),
        Check(
            "scans in time",
            f"the last scan is never older than {interval} s and a little",
            3 * interval + SLACK,
            in_time,
        ),
        # An app that is signalled may act on it.
        *([read_only("main-app", VERDICT)] if signals else [planted]),
        out_of_reach,
    ]
