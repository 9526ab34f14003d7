"""resize-pod MIN MAX HEADROOM INTERVAL CREDENTIALS [PROC]: every INTERVAL seconds, give container
MEASURED of this pod, POD_NAME in POD_NAMESPACE, the CPU that it uses and HEADROOM percent more,
between MIN and MAX millicores; it begins with CPU_LIMIT. CREDENTIALS has the service account
token and ca.crt. What is refused is logged and tried again, after 1 s, 2 s, 4 s, up to
INTERVAL. Needs shareProcessNamespace.
"""

import json
import os
import sys
import time
from pathlib import Path

from .api import Retries, patch_pod
from .basics import end_when_told, say, uptime
from .processes import Process, find, runs
from .usage import used


class Meter:
    """Measures what a container uses."""

    def __init__(self, name: str, interval: int, proc: Path) -> None:
        self._name, self._interval, self._proc = name, interval, proc
        self._app: Process | None = None
        self._before = self._begun = 0
        self.use: int | None = None
        """In millicores, as soon as there has been an interval."""

    def look(self) -> None:
        """Raises LookupError or OSError if there is nothing to measure."""
        app = self._app if self._app and runs(self._app) else find(self._name)
        total, now = used(self._proc, app.pid), int(uptime() * 100)
        if app != self._app:
            self._app, self._before, self._begun, self.use = app, total, now, None
        elif now - self._begun >= self._interval * 99:
            # What ended while nobody of the container waited for it is in no account any more.
            more = max(total - self._before, 0)
            self.use = more * 1000 // (now - self._begun)
            self._before, self._begun = total, now


def fitting(use: int | None, limit: int, headroom: int) -> int:
    """What a container is to get that has this limit, in millicores."""
    if use is None:
        return limit
    if use * (200 + headroom) >= limit * 200:
        # Less than half of the headroom is left. What is held at its limit can't show what it
        # would use, so it gets twice that.
        return limit * 2
    # In steps of ten, rounded up.
    aim = (use * (100 + headroom) // 100 + 9) // 10 * 10
    # A little less is not worth a request.
    return aim if aim * 5 < limit * 4 else limit


def resize(credentials: str, container: str, millicores: int) -> tuple[int, str]:
    """Ask for so much, which the answer tells of."""
    amount = {"cpu": f"{millicores}m"}
    changed = {"name": container, "resources": {"requests": amount, "limits": amount}}
    pod = os.environ["POD_NAME"]
    return patch_pod(Path(credentials), f"{pod}/resize", {"spec": {"containers": [changed]}})


def unfinished(answer: str) -> list[dict[str, str]]:
    """The conditions of the pod that tell what the kubelet has still to do, which is what the pod
    had before the request that this answers."""
    try:
        conditions: list[dict[str, str]] = json.loads(answer)["status"]["conditions"]
    except (ValueError, LookupError, TypeError):
        return []
    return [it for it in conditions if it["type"].startswith("PodResize")]


def main(
    least: str, most: str, headroom: str, interval: str, credentials: str, proc: str = "/proc"
) -> None:
    end_when_told()
    name, limit, settled = os.environ["MEASURED"], int(os.environ["CPU_LIMIT"]), True
    low, high, spare, seconds = map(int, (least, most, headroom, interval))
    meter, retries = Meter(name, seconds, Path(proc)), Retries(seconds)
    while True:
        try:
            meter.look()
        except (LookupError, OSError):
            say(f"No process {name} to measure")
            retries.wait()
            continue
        aim = min(max(fitting(meter.use, limit, spare), low), high)
        if aim != limit:
            use = "an unknown part" if meter.use is None else meter.use
            say(f"{name} uses {use} of {limit} millicores: asking for {aim}")
        # After a change, the same once more tells what has become of it.
        if aim != limit or not settled:
            # Whether it was done is unknown until an answer says it: the answer may be lost.
            settled = False
            code, said = resize(credentials, name, aim)
            if code != 200:
                say(said)
                retries.wait()
                continue
            left = unfinished(said)
            for it in left:
                if "reason" in it:
                    why = f"{it['reason']}: {it.get('message', '')}"
                    say(f"The kubelet has not done it yet: {why}")
            settled = aim == limit and not left
            limit = aim
            if settled:
                say(f"{name} has {aim} millicores")
        retries.reset()
        time.sleep(seconds)


if __name__ == "__main__":
    main(*sys.argv[2:])
