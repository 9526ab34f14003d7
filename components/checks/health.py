"""The keeper asks in time, may signal the app and nothing is wrong with where its dumps go.

No check makes the app hang: that is seen in the cluster tests.
"""

import re

from ..health import DUMPS, RECORDS, HealthArgs
from . import SLACK, Check, Live, UnmetError

# How old the status is, and what it says.
_STATUS = f"""
echo $(($(date +%s) - $(stat -c %Y {RECORDS}/status)))
cat {RECORDS}/status
"""

# Of the process that the keeper follows: whether it may be signalled, what it handles, which
# container's it is.
_TARGET = f"""
read -r process _ <{RECORDS}/process
pid=${{process%:*}}
kill -0 "$pid" && echo allowed
sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status"
tr '\\0' '\\n' <"/proc/$pid/cmdline" | grep -x -e "$TARGET"
"""

_KEPT = f"echo x >{DUMPS}/verify && cat {DUMPS}/verify && rm {DUMPS}/verify"

_BITS = {"HUP": 1, "USR1": 10, "USR2": 12, "TERM": 15}


def checks(args: HealthArgs) -> list[Check]:
    """What must be true of a pod of Health."""
    interval = args.get("interval_seconds", 10)
    timeout = args.get("probe_timeout_seconds", args.get("slow_seconds", 2) + 3)
    # An answer takes no longer, and neither does the way of the status to the file.
    late = max(interval, timeout) + SLACK

    def in_time(live: Live) -> str:
        def look() -> str:
            age, *status = [*live.run("health-keeper", _STATUS).splitlines(), ""]
            said = " ".join(status).strip()
            if not re.fullmatch(r"healthy: answered in \d+ ms", said):
                raise UnmetError(f"the sidecar says: {said}")
            if not age.isdecimal() or int(age) > late:
                raise UnmetError(f"the sidecar has said nothing for {age} s")
            return f"{said}, {age} s ago"

        return live.until(look)

    def may_signal(live: Live) -> str:
        def look() -> str:
            seen = live.run("health-keeper", _TARGET).split()
            if len(seen) != 3 or seen[0] != "allowed" or seen[2] != "main-app":
                raise UnmetError(f"the sidecar's look at the app answers {' '.join(seen)!r}")
            caught = [name for name, bit in _BITS.items() if int(seen[1], 16) >> (bit - 1) & 1]
            wanted = [args.get("dump_signal", "USR1"), "TERM"]
            if not {*wanted} <= {*caught}:
                raise UnmetError(f"the app handles {' '.join(caught) or 'no signal'}")
            return f"the app may be signalled, and handles {' and '.join(wanted)}"

        return live.until(look)

    def kept(live: Live) -> str:
        spec = live.pod()["spec"]
        mounts = [
            container["name"]
            for container in [*spec.get("initContainers", []), *spec["containers"]]
            for mount in container.get("volumeMounts", [])
            if mount["name"] == "dumps"
        ]
        if mounts != ["health-keeper"]:
            raise UnmetError(f"mounted by {', '.join(mounts) or 'nobody'}")
        seen = live.run("health-keeper", _KEPT).strip()
        if seen != "x":
            raise UnmetError(f"writing to {DUMPS} answered {seen!r}")
        return "written and removed, and mounted by health-keeper alone"

    # A sidecar that has just found the app asks it within an interval.
    return [
        Check(
            "probes on time",
            f"the status says healthy, and is no older than {late} s",
            interval + timeout + SLACK,
            in_time,
        ),
        Check(
            "may signal the app",
            "the sidecar may signal main-app, which handles the signal for dumps, and TERM",
            interval + SLACK,
            may_signal,
        ),
        Check(
            "dumps are kept",
            f"the sidecar can write to {DUMPS}, a volume of its own",
            SLACK,
            kept,
        ),
    ]
