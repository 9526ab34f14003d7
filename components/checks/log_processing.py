"""The app's lines become JSON, in order, masked and in time, and the volume stays bounded."""

import json
import re
from itertools import pairwise
from typing import Any, cast

from ..log_processing import (
    LOG,
    MASKED_KEYS,
    STATE,
    LogProcessingArgs,
    names_pattern,
    room,
    rotated_at,
)
from . import SLACK, Check, Line, Live, UnmetError

LINES = 200
"""How many of the last lines are looked at."""

SECRETS = {"password": "made-up-password", "api_key": "made-up-key", "bearer": "made-up-token"}
"""What the demo's secrets begin with, by their names."""

# The place, and the size of the file that it is in, which may have been renamed.
_PLACE = f"""
read -r generation position seen _ <<LAST
$(tail -n 1 {STATE}/position)
LAST
for file in {LOG}.$generation {LOG}; do
  [ ! -e $file ] || break
done
echo "$generation $position $seen $(wc -c <$file)"
"""

_TAKEN = f"du -k -s {LOG.rpartition('/')[0]} | cut -f 1"


def checks(args: LogProcessingArgs) -> list[Check]:
    """What must be true of a pod of LogProcessing."""
    names = names_pattern([*args.get("masked_keys", MASKED_KEYS), "bearer"])
    secrets = [SECRETS[name] for name in SECRETS if re.search(names, name)]
    sought = " ".join(f"-e {secret}" for secret in secrets)
    pace = args.get("app_interval_seconds", 10) + args.get("interval_seconds", 1)

    def become_json(live: Live) -> str:
        began = live.last_lines("log-processor", LINES)

        def look() -> str:
            lines = live.last_lines("log-processor", LINES)
            places = _places(lines)
            if not places or (began and lines[-1].time <= began[-1].time):
                raise UnmetError("no new line")
            for before, after in pairwise(places):
                if after <= before:
                    raise UnmetError(f"the record {after} comes after {before}")
            return f"{len(places)} records, each once and in order"

        return live.until(look)

    def masked(live: Live) -> str:
        def look() -> str:
            lines = live.last_lines("log-processor", LINES)
            clear = [line.text for line in lines if any(it in line.text for it in secrets)]
            if clear:
                raise UnmetError(f"a secret in clear: {clear[0]}")
            hidden = sum("***" in line.text for line in lines)
            count = live.run("main-app", f"cat {LOG}* | grep -c {sought}").strip()
            if not hidden or not count.isdecimal() or count == "0":
                raise UnmetError(f"{hidden} lines masked; the app's file has {count} with secrets")
            return f"{hidden} of the last {len(lines)} lines had a secret, none has it now"

        return live.until(look)

    def keeps_up(live: Live) -> str:
        def place() -> list[int]:
            seen = live.run("log-processor", _PLACE)
            numbers = seen.split()
            if len(numbers) != 4 or not all(map(str.isdecimal, numbers)):
                raise UnmetError(seen.strip())
            return [*map(int, numbers)]

        # The app writes on, so what counts is what it had written by now.
        generation, *_, size = live.until(place)

        def look() -> str:
            now, position, end, _ = place()
            if (now, max(position, end)) < (generation, size):
                raise UnmetError(f"{size - position} bytes of file {generation} are not printed")
            return f"all {size} bytes of file {generation} are printed"

        return live.until(look)

    def bounded(live: Live) -> str:
        limit = int(room(args))
        seen = live.run("log-processor", _TAKEN).strip()
        if not seen.isdecimal() or int(seen) * 1024 > limit:
            raise UnmetError(f"{seen} KiB")
        return f"{seen} KiB, files are rotated at {rotated_at(args) // 1024} KiB"

    return [
        Check(
            "lines become JSON",
            f"a new record comes, and the last {LINES} lines are JSON, each record once, in order",
            pace + SLACK,
            become_json,
        ),
        Check(
            "secrets masked",
            "the app's file has secrets, and what is printed has *** in their place",
            3 * pace + SLACK,
            masked,
        ),
        Check(
            "keeps up",
            "what the app has written is printed to the end of its file",
            pace + SLACK,
            keeps_up,
        ),
        Check(
            "volume bounded",
            f"the app's files take less than {room(args)} bytes",
            SLACK,
            bounded,
        ),
    ]


def _places(lines: list[Line]) -> list[tuple[int, int]]:
    """Where the records among these lines begin: file and offset. Raises UnmetError for a line
    that isn't JSON."""
    places: list[tuple[int, int]] = []
    for line in lines:
        try:
            found: Any = json.loads(line.text)
            if "id" in found:
                file, _, offset = cast(str, found["id"]).partition(":")
                places.append((int(file), int(offset)))
                if not {"time", "message"} <= found.keys():
                    raise ValueError
            elif "sidecar" not in found:
                raise ValueError
        except (ValueError, TypeError, AttributeError):
            raise UnmetError(f"no record: {line.text}") from None
    return places
