"""The checks of graceful shutdown pass on what it promises, and on nothing less."""

from typing import Any

import pytest

from components.checks import graceful_shutdown
from tests.unit.recorder import Object
from tests.unit.simulated import always, looked, named, refused, unchanging

CHECKS = graceful_shutdown.checks({})
COUNTED = named(CHECKS, "request in flight counted")
FITS = named(CHECKS, "grace fits")
READY = named(CHECKS, "ready by its own word")


def test_a_request_that_is_counted_passes() -> None:
    assert looked(COUNTED, answer=always("2\n3\n2\n")) == "2, then 3, then 2 in flight"


@pytest.mark.parametrize(
    "seen", ["0\n0\n0\n", "0\n1\n1\n", "0\n2\n0\n", "wget: can't connect to remote host", ""]
)
def test_a_count_that_misses_a_request_or_keeps_it_fails(seen: str) -> None:
    assert refused(COUNTED, answer=always(seen))


def test_the_requests_of_others_delay_the_count_and_fail_nothing() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "0\n1\n0\n" if now > 110 else "1\n3\n7\n"

    assert looked(COUNTED, answer=answer)


def test_the_request_goes_to_the_port_of_the_app() -> None:
    def answer(container: str, command: str, _now: float) -> str:
        assert container == "main-app"
        return "0\n1\n0\n" if "http://127.0.0.1:9090/slow" in command else ""

    assert looked(named(graceful_shutdown.checks({"port": 9090}), COUNTED.name), answer=answer)


def pod(grace: Any = 30, hook: str = "echo; sleep 5", drain: str = "15") -> Object:
    lifecycle = {"preStop": {"exec": {"command": ["/bin/sh", "-c", hook]}}}
    return {
        "metadata": {"annotations": {"sidecar-powers/drain-seconds": drain}},
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "containers": [{"name": "main-app", "lifecycle": lifecycle}],
        },
    }


def test_what_fits_the_grace_period_of_the_live_pod_passes() -> None:
    seen = looked(FITS, manifest=unchanging(pod(25)))
    assert seen == "5 s for preStop, 15 s to drain, 5 s for the sidecars: 25 of 25 s"


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (pod(24), "the grace period is 24 s, too short for 5 s for preStop"),
        (pod(None), "the grace period is None s"),
        (pod(hook="sleep infinity"), "no preStop hook that waits"),
        (pod(drain="long"), "drain-seconds: found long, expected seconds"),
    ],
)
def test_a_pod_whose_time_somebody_has_changed_fails(live: Object, message: str) -> None:
    assert message in refused(FITS, manifest=unchanging(live))


def status(ready: str) -> Object:
    return {"status": {"conditions": [{"type": "Ready", "status": ready}]}}


def test_a_sidecar_that_says_ready_in_a_ready_pod_passes() -> None:
    assert looked(READY, answer=always("ready\nalive\n"), manifest=unchanging(status("True")))


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        ("ready\nalive", "False"),
        ("ready\nalive\ndraining", "True"),
        ("wget: server returned error: HTTP/1.1 404 Not Found\nalive", "True"),
    ],
)
def test_another_word_than_the_pods_fails(seen: str, ready: str) -> None:
    assert refused(READY, answer=always(seen), manifest=unchanging(status(ready)))
