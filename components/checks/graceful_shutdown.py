"""Requests in flight are seen, the grace period has room for them, readiness is the sidecar's word.

No pod is drained to see it: that would end one that serves.
"""

import re

from ..graceful_shutdown import END_SECONDS, READY_PORT, STATE, GracefulShutdownArgs
from ..manifest import Object
from ..parts import DRAIN
from . import SLACK, Check, Live, UnmetError

# What the sidecar counts before, during and after a request. The containers share their network,
# and the app's image has wget.
_COUNTS = f"""
count() {{
  timeout 5 wget -q -O - http://127.0.0.1:{READY_PORT}/in-flight
}}
count
timeout 10 wget -q -O /dev/null http://127.0.0.1:%d/slow &
sleep 1
count
kill $!
sleep 1
count
"""

_READY = f"timeout 5 wget -q -O - http://127.0.0.1:{READY_PORT}/ready; ls {STATE}"


def checks(args: GracefulShutdownArgs) -> list[Check]:
    """What must be true of a pod of GracefulShutdown."""
    port = args.get("port", 8080)

    def counted(live: Live) -> str:
        def look() -> str:
            seen = live.run("main-app", _COUNTS % port).split()
            # Others may ask meanwhile, so it is tried until nobody does.
            if not (len(seen) == 3 and all(map(str.isdecimal, seen))):
                raise UnmetError(f"the sidecar counts {' '.join(seen)!r}")
            before, during, after = map(int, seen)
            if not before == after == during - 1:
                raise UnmetError(f"in flight: {before} before a request, {during}, {after} after")
            return f"{before}, then {during}, then {after} in flight"

        return live.until(look)

    def fits(live: Live) -> str:
        pod = live.pod()
        grace, drain = pod["spec"].get("terminationGracePeriodSeconds"), _drain(pod)
        needed = (hook := _hook(pod)) + drain + END_SECONDS
        words = f"{hook} s for preStop, {drain} s to drain, {END_SECONDS} s for the sidecars"
        if not isinstance(grace, int) or grace < needed:
            raise UnmetError(f"the grace period is {grace} s, too short for {words}")
        return f"{words}: {needed} of {grace} s"

    def ready(live: Live) -> str:
        def look() -> str:
            seen = live.run("main-app", _READY).split()
            conditions: list[Object] = live.pod().get("status", {}).get("conditions") or []
            said = {item["type"]: item["status"] for item in conditions}.get("Ready")
            if seen[:1] != ["ready"] or said != "True" or "draining" in seen:
                raise UnmetError(f"/ready says {' '.join(seen)!r}, the pod's Ready is {said}")
            return "/ready says ready, and so does the pod"

        return live.until(look)

    return [
        Check(
            "request in flight counted",
            "the sidecar counts one more during a request to /slow, and one less after it",
            2 * SLACK,
            counted,
        ),
        Check("grace fits", "hook, draining and sidecars fit the pod's grace period", SLACK, fits),
        Check("ready by its own word", "the sidecar says ready, and the pod is", SLACK, ready),
    ]


def _hook(pod: Object) -> int:
    """How many seconds the app's preStop hook takes."""
    for container in pod["spec"]["containers"]:
        if container["name"] == "main-app":
            command: list[str] = container["lifecycle"]["preStop"]["exec"]["command"]
            if found := re.search(r"; sleep (\d+)$", command[-1]):
                return int(found[1])
    raise UnmetError("the app has no preStop hook that waits")


def _drain(pod: Object) -> int:
    """How many seconds the app drains."""
    note = str(pod["metadata"].get("annotations", {}).get(DRAIN))
    if not note.isdecimal():
        raise UnmetError(f"annotation {DRAIN}: found {note}, expected seconds")
    return int(note)
