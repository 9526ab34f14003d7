"""renew-certificate CA LIVE NAMES PORT INTERVAL LIFETIME SKEW: keep nginx at PORT on a certificate
for NAMES from the CA in that directory. A new one comes every INTERVAL seconds, and at once if the
CA is another one; it is valid for LIFETIME seconds, and since SKEW seconds for clients whose clocks
are behind. Certificate and key are one file in the directory LIVE, put there in one step, and then
seen to be served. A CA that can't sign changes nothing, and how long the certificate will do is in
the log and in LIVE/status; it is tried again when half of that time is over.
"""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .basics import Report, end_when_told, publish, text_of
from .changes import Changes
from .issue import IssueError, issue, openssl
from .tls import served_certificate, tls_config

PATIENCE = 10
"""Seconds in which nginx should serve a new certificate."""

POLL = 0.2
"""Seconds from one look at what nginx serves to the next, until it serves the new certificate."""

SPARE = 5
"""Seconds before a certificate's end in which nginx should serve the next one."""

RETRY = 2
"""Seconds from a try that failed to the next one, at least."""


class Certificate(NamedTuple):
    """A certificate that is published. All times are seconds since 1970."""

    serial: str = ""
    issuer: str = ""
    """What tells its CA from others."""
    issued: int = 0
    end: int = 0
    pem: str = ""
    """The certificate alone, without its key."""


def noted(text: str) -> Certificate:
    """The certificate of a published text, none if there is none.

    The first line, which is no part of the PEM, is for this program when it is started again.
    """
    first, _, pem = text.partition("\n")
    try:
        serial, issuer, issued, end = first.split()
        certificate, _, _ = pem.partition("-----BEGIN PRIVATE KEY")
        return Certificate(serial, issuer, int(issued), int(end), certificate)
    except ValueError:
        return Certificate()


class Renewer:
    """Renews the certificate, and sees nginx serve it."""

    def __init__(
        self,
        ca: Path,
        live: Path,
        names: list[str],
        port: int,
        interval: int,
        lifetime: int,
        skew: int,
    ) -> None:
        self._ca, self._names, self._port = ca, names, port
        self._interval, self._lifetime, self._skew = interval, lifetime, skew
        self._file, self._configuration = live / "server.pem", live / "nginx.conf"
        self._report = Report(live / "status")
        # This program may be started again beside an nginx that runs.
        self._current = noted(text_of(self._file) if self._configuration.exists() else "")
        self._started = int(time.time())
        self._tried = self._current.issuer
        self._tried_at, self._next = self._current.issued, self._when_old()
        self._serving = ""
        self._missed = time.monotonic() + PATIENCE

    def work(self) -> float:
        """Do what is to be done; the seconds until there is more to do if the CA stays as it is."""
        if self._due():
            self._renew()
        if self._serving != self._current.serial and not self._seen():
            return POLL
        return min(max(0, self._next - time.time()), self._interval)

    def _due(self) -> bool:
        """Whether it is time, or the CA is another one, or the clock has been set back."""
        return self._tried != self._offer() or not self._tried_at <= time.time() < self._next

    def _offer(self) -> str:
        """What tells the CA that is there now from others."""
        text = text_of(self._ca / "tls.crt") + text_of(self._ca / "tls.key")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _when_old(self) -> int:
        """When the certificate is to be renewed: before there would be none."""
        lifetime = self._current.end - self._current.issued
        # A CA that ends soon makes lifetimes short.
        return self._current.issued + min(self._interval, max(lifetime - SPARE, lifetime // 2, 1))

    def _when_again(self) -> int:
        """When to try again what has just failed: the sooner, the nearer the time is at which a
        certificate is missing. Once it is over, what has not helped for long is in no hurry."""
        missing = self._current.end or self._started
        wait = max(abs(missing - self._tried_at) // 2, RETRY)
        return self._tried_at + min(self._interval, wait)

    def _renew(self) -> None:
        self._tried, self._tried_at = self._offer(), int(time.time())
        self._next = self._when_again()
        begin, end = self._tried_at - self._skew, self._tried_at + self._lifetime
        try:
            made = issue(self._ca, self._names, begin, end)
        except (IssueError, OSError) as error:
            self._report(f"CA: {error}: {self._remaining()}")
            return
        text = f"{made.serial} {self._tried} {self._tried_at} {made.end}\n{made.pem}\n"
        if not publish(self._file, text):
            return
        self._current = noted(text)
        self._next = self._when_old()
        self._missed = time.monotonic() + PATIENCE
        self._report(f"issued certificate {made.serial}")
        if not self._configuration.exists():
            publish(self._configuration, tls_config(self._port, self._file))

    def _remaining(self) -> str:
        """How long the certificate will do."""
        left = self._current.end - int(time.time())
        if not self._current.serial:
            return "no certificate yet"
        if left > 0:
            return f"certificate {self._current.serial} valid for another {left} s"
        return f"certificate {self._current.serial} expired {-left} s ago"

    def _seen(self) -> bool:
        """Whether nginx serves the certificate."""
        found = served_certificate(self._port)
        if found == self._current.pem:
            self._serving = self._current.serial
            self._report(f"serving {self._remaining()}")
            return True
        if time.monotonic() > self._missed:
            # nginx may have missed this certificate, or not be there at all.
            self._missed = time.monotonic() + PATIENCE
            other = serial(found) if found else "nothing"
            self._report(f"nginx serves {other} instead of {self._current.serial}")
            if found:
                self._tried = ""
        return False


def serial(certificate: str) -> str:
    """The number of a certificate."""
    try:
        said = openssl("x509", "-noout", "-serial", text=certificate)
        return said.strip().removeprefix("serial=")
    except (IssueError, OSError):
        return "another"


def main(ca: str, live: str, names: str, port: str, *seconds: str) -> None:
    os.umask(0o077)
    end_when_told()
    changes = Changes(Path(ca))
    interval, lifetime, skew = map(int, seconds)
    where = (Path(ca), Path(live), names.split(","), int(port))
    renewer = Renewer(*where, interval, lifetime, skew)
    while True:
        changes.wait(renewer.work())


if __name__ == "__main__":
    main(*sys.argv[2:])
