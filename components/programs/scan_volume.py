"""scan-volume SOURCE CONTENT BASELINE VERDICT DONE INTERVAL: compare the files in CONTENT with
those of the mounted ConfigMap SOURCE, every INTERVAL seconds. BASELINE/known has what may be there:
the version now, and those before while they are being replaced, which ends when the publisher has
this version in its file DONE, or takes too long. What is not allowed stands in VERDICT/findings,
and in the log once; VERDICT/status is written by each scan.
The version in VERDICT/version is known: its files are no finding.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from .basics import end_when_told, publish, say, text_of, user
from .changes import Changes
from .mounted import texts_of, version_of
from .scan import Files, State, Verdict, judge, look_at, wanted

PATIENCE = 120
"""Seconds, and an interval, in which former files are allowed: a publisher that was ended midway
has been started again by then. It may also be kept from its work by the one who is looked for."""


class Known(NamedTuple):
    """What may be in the volume."""

    version: str
    now: Files

    former: list[Files]
    """The versions before, until the publisher has replaced all of them or had its time."""


def known_in(file: Path) -> Known:
    """What a scanner has left there, nothing before the first."""

    def files(states: dict[str, Any]) -> Files:
        return {name: State(*state) for name, state in states.items()}

    try:
        version, now, former = json.loads(text_of(file))
    except ValueError:
        return Known("none", {}, [])
    return Known(version, files(now), [*map(files, former)])


class Scanner:
    """Knows what may be in the volume, and what it has said of it."""

    def __init__(
        self,
        source: Path,
        content: Path,
        baseline: Path,
        verdict: Path,
        done: Path,
        interval: float,
    ) -> None:
        self._source, self._content, self._verdict = source, content, verdict
        self._baseline, self._done = baseline / "known", done
        # The publisher may see a version an interval late.
        self._patience = PATIENCE + interval
        self._since = time.monotonic()
        # Another scanner may have been ended at any line of this program.
        self._known = known_in(self._baseline)
        self._findings: list[str] = []
        self._state = ""

    def scan(self) -> bool:
        """Scan once. False if it must be done again: another version may have come meanwhile, and
        its files have been seen."""
        version = version_of(self._source)
        if not self._knows(version):
            return False
        # Before the look: nothing else comes once it is done. Nothing that is in the volume tells,
        # since there the app decides what is still to come.
        if self._known.former and self._over(version):
            self._keep(self._known._replace(former=[]))
        seen = look_at(self._content, [self._known.now, *self._known.former])
        if version_of(self._source) != version:
            return False
        verdict = judge(seen, self._known.now, self._known.former)
        self._tell(verdict)
        return True

    def _knows(self, version: str) -> bool:
        """Know what is offered, and let the publisher begin. What was allowed before stays allowed
        until it has replaced all of that, even if one of the two is ended midway."""
        if version != self._known.version:
            texts = texts_of(self._source, version)
            if texts is None:
                return False
            former = [*self._known.former, self._known.now]
            if not self._keep(Known(version, wanted(texts, user()), former)):
                return False
            self._since = time.monotonic()
        return _left(self._verdict / "version", f"{version}\n")

    def _over(self, version: str) -> bool:
        """Whether the publisher has put all of the version there, or had its time for that."""
        done = text_of(self._done).strip()
        # Before the first one is done, there is no app that could do harm.
        return done == version or (done != "" and time.monotonic() > self._since + self._patience)

    def _keep(self, known: Known) -> bool:
        kept = publish(self._baseline, json.dumps(known))
        if kept:
            self._known = known
        return kept

    def _tell(self, verdict: Verdict) -> None:
        """Say what is new and what is over, and leave the verdict."""
        findings, before = verdict.findings, self._findings
        for line in findings:
            if line not in before:
                say(line)
        for line in before:
            if line not in findings:
                say(f"over: {line}")
        self._findings = findings
        _left(self._verdict / "findings", "".join(f"{line}\n" for line in findings))
        state = "clean: all files as published"
        if findings:
            state = f"violated: {len(findings)} findings"
        elif verdict.pending:
            state = f"publishing: {' '.join(verdict.pending[:5])} to come"
        # Each time: its age tells that somebody scans.
        publish(self._verdict / "status", f"{state}\n")
        if state != self._state:
            self._state = state
            say(state)


def _left(file: Path, text: str) -> bool:
    """Have the file say that. Who watches it sees no change if it does already."""
    return (file.exists() and text_of(file) == text) or publish(file, text)


def main(source: str, content: str, baseline: str, verdict: str, done: str, interval: str) -> None:
    """Scan until told to end."""
    end_when_told()
    changes = Changes(Path(source))
    places = map(Path, (source, content, baseline, verdict, done))
    scanner = Scanner(*places, interval=float(interval))
    while True:
        started = time.monotonic()
        if scanner.scan():
            changes.wait(max(0, started + float(interval) - time.monotonic()))
        else:
            time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[2:])
