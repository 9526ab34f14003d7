"""Issues certificates with openssl, which Python's standard library can't."""

import subprocess
import time
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .basics import text_of

BOOKS = Path("/tmp/issued")
"""What openssl writes while it issues; never a key."""

# The names stand where clients look for them and nowhere else, so they may be long.
CONFIGURATION = f"""
[ca]
default_ca = issuer
[issuer]
database = {BOOKS}/index
new_certs_dir = {BOOKS}
rand_serial = yes
default_md = default
policy = subject
x509_extensions = serving
[subject]
commonName = optional
[req]
distinguished_name = subject
[serving]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = critical,"""


class IssueError(Exception):
    """Why there is no certificate."""


class Issued(NamedTuple):
    """A certificate and its key."""

    serial: str
    end: int
    """Until when it is valid, in seconds since 1970."""
    pem: str


def issue(ca: Path, names: list[str], begin: int, end: int) -> Issued:
    """Make a key, and have the CA in that directory sign a certificate for these host names, valid
    within these seconds since 1970 and never beyond the CA. Raises IssueError if who trusts the CA
    would not accept it, and OSError.
    """
    certificate, key = str(ca / "tls.crt"), str(ca / "tls.key")
    first, last = span(text_of(ca / "tls.crt"))
    end = min(end, last)
    configuration = _new_books(names)
    # The key goes from program to program, and into no file.
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "-")
    made = openssl("req", "-new", *configuration, "-subj", "/", *new)
    made_key, mark, request = made.partition("-----BEGIN CERTIFICATE REQUEST")
    # `openssl x509` counts in days before 3.4.
    dates = ("-startdate", _moment(max(begin, first)), "-enddate", _moment(end))
    issuer = ("-cert", certificate, "-keyfile", key, "-passin", "pass:")
    request_in = ("-batch", "-notext", *configuration, "-in", "/dev/stdin")
    signed = openssl("ca", *request_in, *issuer, *dates, text=mark + request)
    trusting = ("-partial_chain", "-purpose", "sslserver", "-CAfile", certificate)
    openssl("verify", *trusting, text=signed)
    serial = next(BOOKS.glob("*.pem")).stem
    return Issued(serial, end, signed + made_key)


@lru_cache(maxsize=1)
def span(certificate: str) -> tuple[int, int]:
    """From when to when a certificate is valid. Raises IssueError if it is none."""
    dates = ("-startdate", "-enddate", "-dateopt", "iso_8601")
    try:
        lines = openssl("x509", "-noout", *dates, text=certificate).splitlines()
        first, last = (datetime.fromisoformat(line.partition("=")[2]) for line in lines)
    except (IssueError, ValueError):
        raise IssueError("no certificate in tls.crt") from None
    return int(first.timestamp()), int(last.timestamp())


def openssl(*words: str, text: str = "") -> str:
    """What a command of openssl makes of a text. Raises IssueError with what it has against it."""
    command = ["openssl", *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise IssueError(_objection(done.stdout + done.stderr))
    return done.stdout


def _objection(said: str) -> str:
    """The line of what openssl says that people understand."""
    _, found, verdict = said.partition("depth lookup:")
    if found:
        return verdict.splitlines()[0].strip()
    lines = [line for line in said.splitlines() if ":error:" not in line]
    return next((line for line in lines if not line.startswith("Using")), "openssl fails")


def _new_books(names: list[str]) -> tuple[str, str]:
    """Begin anew for a certificate for these names; how openssl is told what is to be in it."""
    BOOKS.mkdir(exist_ok=True)
    for file in BOOKS.iterdir():
        file.unlink()
    (BOOKS / "index").touch()
    configuration = BOOKS / "configuration"
    configuration.write_text(CONFIGURATION + ",".join(f"DNS:{name}" for name in names))
    return "-config", str(configuration)


def _moment(seconds: int) -> str:
    """That time as certificates write it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))
