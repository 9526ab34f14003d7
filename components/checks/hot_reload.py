"""nginx serves what the ConfigMap says, loads it again without losing a request, can't write."""

from ..hot_reload import FILE, LIVE, PID_FILE, SOURCE, HotReloadArgs
from ..parts import GENERATION_PORT
from . import SLACK, SYNC, Check, Live, UnmetError, read_only

REQUESTS, RELOADS = 200, 5

# The sidecar's status, the digest of what is offered, and what nginx says it serves.
_STATE = f"""
offered=$(printf '%s' "$(cat {SOURCE}/{FILE})" | sha256sum | cut -c 1-12)
served=$(timeout 5 wget -q -O - http://127.0.0.1:{GENERATION_PORT}/)
printf '%s\n' "$offered" "$served" "$(cat {LIVE}/status)"
"""

# Each request is a connection of its own, as of somebody who comes for the first time.
_LOAD = f"""
count=0 failed=0
while [ $count -lt {REQUESTS} ]; do
  [ $((count % {REQUESTS // RELOADS})) -ne 0 ] || kill -HUP "$(cat {PID_FILE})"
  timeout 5 wget -q -O /dev/null http://127.0.0.1:{GENERATION_PORT}/ || failed=$((failed + 1))
  count=$((count + 1))
done
echo "$failed of $count failed"
"""


def checks(args: HotReloadArgs) -> list[Check]:
    """What must be true of a pod of HotReload."""

    def up_to_date(live: Live) -> str:
        def look() -> str:
            offered, served, *status = [*live.run("config-reloader", _STATE).splitlines(), "", ""]
            said = " ".join(status).strip()
            if served != offered or said != f"serving {offered}":
                raise UnmetError(f"offered is {offered}, served {served}; the sidecar says: {said}")
            return f"serves {served}"

        return live.until(look)

    def loses_nothing(live: Live) -> str:
        seen = live.run("config-reloader", _LOAD).strip()
        if seen != f"0 of {REQUESTS} failed":
            raise UnmetError(seen)
        return f"{REQUESTS} requests during {RELOADS} reloads, none failed"

    return [
        Check(
            "configuration served",
            "nginx serves the configuration that the ConfigMap has, and the sidecar says so",
            SYNC + args.get("interval_seconds", 60) + SLACK,
            up_to_date,
        ),
        Check(
            "no request lost",
            f"of {REQUESTS} requests during {RELOADS} reloads none fails",
            2 * SLACK,
            loses_nothing,
        ),
        read_only("main-app", LIVE),
    ]
