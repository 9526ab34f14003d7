"""The checks of cert renewal pass on what it promises, and on nothing less."""

from collections.abc import Callable
from typing import Any

import pytest

from components.checks import cert_renewal
from tests.unit.simulated import looked, named, refused, unchanging

CHECKS = cert_renewal.checks({"namespace": "here", "ca_certificate": "", "ca_key": ""})
CONFIGURED = named(CHECKS, "certificate as configured")
RENEWED = named(CHECKS, "certificate renewed")
KEY = named(CHECKS, "CA's key only in the sidecar")

POD = {
    "metadata": {"labels": {"app.kubernetes.io/instance": "cert-demo"}},
    "status": {"containerStatuses": [{"name": "main-app", "containerID": "one"}]},
}
ISSUED = 1_800_000_000
"""2027-01-15 08:00:00."""

SEEN = {
    "serial": "serial=AB",
    "verified": "stdin: OK",
    "names": "    DNS:cert-demo, DNS:cert-demo.here.svc, DNS:localhost",
    "begins": "2027-01-15 07:59:00Z",
    "ends": "2027-01-15 08:03:00Z",
    "ca begins": "2027-01-01 00:00:00Z",
    "ca ends": "2028-01-01 00:00:00Z",
    "noted": f"AB 0123456789ab {ISSUED} {ISSUED + 180}",
    "status": "serving certificate AB valid for another 180 s",
}


def answers(**changes: str) -> Callable[[str, str, float], str]:
    """What the command prints with some lines changed."""
    text = "".join(f"{line}\n" for line in {**SEEN, **changes}.values())

    def answer(_container: str, _command: str, _now: float) -> str:
        return text

    return answer


def test_a_certificate_as_configured_passes() -> None:
    seen = looked(CONFIGURED, manifest=unchanging(POD), answer=answers())
    assert seen == "AB, valid for 180 s, and since 60 s before"


@pytest.mark.parametrize(
    ("ca", "span"),
    [
        (
            {"ca ends": "2027-01-15 08:02:00Z", "ends": "2027-01-15 08:02:00Z"},
            "120 s, and since 60",
        ),
        (
            {"ca begins": "2027-01-15 07:59:50Z", "begins": "2027-01-15 07:59:50Z"},
            "180 s, and since 10",
        ),
    ],
)
def test_a_certificate_within_the_span_of_its_ca_passes(ca: dict[str, str], span: str) -> None:
    assert span in looked(CONFIGURED, manifest=unchanging(POD), answer=answers(**ca))


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        (
            {"verified": "error 20 at 0 depth lookup: unable to get local issuer certificate"},
            "issuer",
        ),
        ({"names": "DNS:localhost"}, "it is for DNS:localhost"),
        ({"ends": "2027-01-15 08:04:00Z"}, "valid from"),
        ({"begins": "2027-01-15 08:00:00Z"}, "valid from"),
        ({"status": "issued certificate AB"}, "the sidecar says: issued certificate AB"),
        ({"status": "CA: gone: certificate AB valid for another 9 s"}, "valid for another 9 s"),
        ({"serial": "serial=CD"}, "nginx serves CD"),
    ],
)
def test_another_certificate_fails_with_what_is_wrong(changes: dict[str, str], seen: str) -> None:
    assert seen in refused(CONFIGURED, manifest=unchanging(POD), answer=answers(**changes))


def test_no_certificate_fails_with_what_the_sidecar_says() -> None:
    def answer(_container: str, _command: str, _now: float) -> str:
        return "none\nCA: no certificate in tls.crt: no certificate yet\n"

    seen = refused(CONFIGURED, manifest=unchanging(POD), answer=answer)
    assert seen == (
        "nginx serves none; the sidecar says: CA: no certificate in tls.crt: no certificate yet"
    )


def renewing(at: float) -> Callable[[str, str, float], str]:
    """Another certificate from some second on."""

    def answer(container: str, command: str, now: float) -> str:
        serial = "CD" if now > at else "AB"
        if command.startswith("head"):
            return SEEN["noted"].replace("AB", serial)
        return answers()(container, command, now).replace("AB", serial)

    return answer


def test_a_renewal_in_time_passes() -> None:
    seen = looked(RENEWED, manifest=unchanging(POD), answer=renewing(150))
    assert seen == "CD after 50 s, no container restarted"


def test_a_renewal_that_is_late_or_costs_a_restart_fails() -> None:
    seen = refused(RENEWED, manifest=unchanging(POD), answer=renewing(300))
    assert seen == "nginx serves AB still"

    def restarted(now: float) -> Any:
        status = {"name": "main-app", "containerID": "two" if now > 120 else "one"}
        return {**POD, "status": {"containerStatuses": [status]}}

    seen = refused(RENEWED, manifest=restarted, answer=renewing(150))
    assert seen == "a container was started again"


@pytest.mark.parametrize(
    ("sidecar", "app", "seen"),
    [("0", "0", "no key to issue with"), ("2", "1", "main-app finds 1"), ("2", "", "finds")],
)
def test_a_key_elsewhere_or_nowhere_fails(sidecar: str, app: str, seen: str) -> None:
    def answer(container: str, _command: str, _now: float) -> str:
        return f"{sidecar if container == 'cert-renewer' else app}\n"

    assert seen in refused(KEY, answer=answer)


def test_a_key_in_the_sidecar_alone_passes() -> None:
    def answer(container: str, _command: str, _now: float) -> str:
        return "2\n" if container == "cert-renewer" else "0\n"

    assert looked(KEY, answer=answer) == "in cert-renewer, not in main-app"
