"""nginx serves a certificate of the CA as configured, then another one; the app has no CA key."""

from datetime import UTC, datetime

from ..cert_renewal import CA, LIVE, CertRenewalArgs, default_names
from . import SLACK, Check, Live, UnmetError, read_only
from .status import statuses

RENEWAL = 5
"""Seconds that a renewal may take until nginx serves the certificate."""

# The served certificate, what its CA says of it, both spans, when it was issued, and the status.
_SEEN = f"""
certificate=$(timeout 5 openssl s_client -connect 127.0.0.1:{{port}} </dev/null 2>/dev/null |
  openssl x509 2>/dev/null)
[ "$certificate" ] || {{{{
  echo none
  exec cat {LIVE}/status
}}}}
span() {{{{
  openssl x509 -noout -startdate -enddate -dateopt iso_8601 | sed 's/.*=//'
}}}}
show() {{{{
  printf '%s\\n' "$certificate"
}}}}
show | openssl x509 -noout -serial
show | openssl verify -partial_chain -purpose sslserver -CAfile {CA}/tls.crt
show | openssl x509 -noout -ext subjectAltName | tail -n 1
show | span
span <{CA}/tls.crt
head -n 1 {LIVE}/server.pem
cat {LIVE}/status
"""

# Where the key is, and where a container finds it that sees the sidecar's processes.
_KEYS = f"cat {CA}/tls.key /proc/[0-9]*/root{CA}/tls.key 2>/dev/null | grep -c PRIVATE"


def checks(args: CertRenewalArgs) -> list[Check]:
    """What must be true of a pod of CertRenewal."""
    interval = args.get("interval_seconds", 60)
    lifetime, skew = args.get("lifetime_seconds", 3 * interval), args.get("skew_seconds", 60)
    renewed_within = interval + RENEWAL

    def served(live: Live) -> list[str]:
        """What `_SEEN` prints, once nginx serves what the sidecar says."""

        def look() -> list[str]:
            seen = live.run("cert-renewer", _SEEN.format(port=args.get("port", 8443)))
            lines = [line.strip() for line in seen.splitlines()] or ["nothing"]
            serial = lines[0].removeprefix("serial=")
            if len(lines) != 9 or not lines[8].startswith(f"serving certificate {serial} "):
                raise UnmetError(f"nginx serves {serial}; the sidecar says: {lines[-1]}")
            return [serial, *lines[1:]]

        return live.until(look)

    def as_configured(live: Live) -> str:
        serial, verified, names, *spans, noted, _ = served(live)
        if not verified.endswith(": OK"):
            raise UnmetError(f"its CA says: {verified}")
        name = live.pod()["metadata"]["labels"]["app.kubernetes.io/instance"]
        wanted = args.get("host_names", default_names(name, args))
        if sorted(names.split(", ")) != sorted(f"DNS:{host}" for host in wanted):
            raise UnmetError(f"it is for {names}")
        begins, ends, ca_begins, ca_ends = map(_seconds, spans)
        issued = int(noted.split()[2])
        if (begins, ends) != (max(issued - skew, ca_begins), min(issued + lifetime, ca_ends)):
            raise UnmetError(f"issued at {issued}, valid from {begins} to {ends}")
        return f"{serial}, valid for {ends - issued} s, and since {issued - begins} s before"

    def renewed(live: Live) -> str:
        first, *_ = served(live)
        before, start = _containers(live), live.elapsed

        def another() -> None:
            if first in live.run("cert-renewer", f"head -n 1 {LIVE}/server.pem"):
                raise UnmetError(f"nginx serves {first} still")

        live.until(another)
        serial, *_ = served(live)
        if _containers(live) != before:
            raise UnmetError("a container was started again")
        return f"{serial} after {live.elapsed - start:.0f} s, no container restarted"

    def out_of_reach(live: Live) -> str:
        if live.run("cert-renewer", _KEYS).strip() == "0":
            raise UnmetError("cert-renewer has no key to issue with")
        seen = live.run("main-app", _KEYS).strip()
        if seen != "0":
            raise UnmetError(f"main-app finds {seen}")
        return "in cert-renewer, not in main-app"

    return [
        Check(
            "certificate as configured",
            f"nginx serves a certificate of the CA for its names, valid for {lifetime} s from its"
            f" issue and since {skew} s before, unless the CA's own span is shorter",
            RENEWAL + SLACK,
            as_configured,
        ),
        Check(
            "certificate renewed",
            f"within {renewed_within} s nginx serves another one, and no container restarts",
            renewed_within + SLACK,
            renewed,
        ),
        Check(
            "CA's key only in the sidecar",
            "cert-renewer can read the CA's key, main-app can't, not in another's /proc either",
            SLACK,
            out_of_reach,
        ),
        read_only("main-app", LIVE),
    ]


def _containers(live: Live) -> list[str]:
    """The identities of the containers: a new one each time that one is started."""
    return [status.get("containerID", "") for status in statuses(live.pod()).values()]


def _seconds(text: str) -> int:
    """Seconds since the epoch of what openssl prints in ISO 8601."""
    date = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    return int(date.timestamp())
