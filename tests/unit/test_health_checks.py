"""The checks of health pass on what it promises, and on nothing less."""

import pytest

from components.checks import health
from tests.unit.recorder import Object
from tests.unit.simulated import always, looked, named, refused, unchanging

CHECKS = health.checks({})
TIME = named(CHECKS, "probes on time")
SIGNAL = named(CHECKS, "may signal the app")
KEPT = named(CHECKS, "dumps are kept")

# The bits of USR1 and TERM.
MASK = "0000000000004200"


def test_a_sidecar_that_says_healthy_in_time_passes() -> None:
    seen = looked(TIME, answer=always("7\nhealthy: answered in 3 ms\n"))
    assert seen == "healthy: answered in 3 ms, 7 s ago"


@pytest.mark.parametrize(
    ("status", "seen"),
    [
        ("7\nslow: answered in 2100 ms\n", "slow: answered in 2100 ms"),
        ("7\nabsent: No process\nmain-app\n", "absent: No process main-app"),
        ("26\nhealthy: answered in 3 ms\n", "has said nothing for 26 s"),
        ("cat: can't open '/records/status'\n", "the sidecar says: "),
        ("", "the sidecar says: "),
    ],
)
def test_another_status_or_an_old_one_fails(status: str, seen: str) -> None:
    assert seen in refused(TIME, answer=always(status))


def test_a_status_may_be_as_old_as_the_patience_of_a_probe() -> None:
    patient = named(health.checks({"slow_seconds": 30}), "probes on time")
    assert looked(patient, answer=always("48\nhealthy: answered in 3 ms\n"))
    assert "49 s" in refused(patient, answer=always("49\nhealthy: answered in 3 ms\n"))


def test_an_app_that_has_just_started_may_take_an_interval() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "1\nhealthy: answered in 3 ms\n" if now > 110 else "1\nstarting: no answer\n"

    assert looked(TIME, answer=answer)


def test_an_app_that_may_be_signalled_and_handles_it_passes() -> None:
    seen = looked(SIGNAL, answer=always(f"allowed\n{MASK}\nmain-app\n"))
    assert seen == "the app may be signalled, and handles USR1 and TERM"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (f"kill: Operation not permitted\n{MASK}\nmain-app\n", "Operation not permitted"),
        (f"allowed\n{MASK}\n", "answers 'allowed"),
        (f"allowed\n{MASK}\nother\n", "other"),
        ("allowed\n0000000000004000\nmain-app\n", "handles TERM"),
        ("allowed\n0000000000000000\nmain-app\n", "handles no signal"),
        ("", "answers ''"),
    ],
)
def test_an_app_that_can_not_be_signalled_fails(answer: str, seen: str) -> None:
    assert seen in refused(SIGNAL, answer=always(answer))


def test_the_signal_is_the_one_that_is_configured() -> None:
    other = named(health.checks({"dump_signal": "USR2"}), "may signal the app")
    assert "handles USR1" in refused(other, answer=always(f"allowed\n{MASK}\nmain-app\n"))


def pod(*others: str) -> Object:
    def container(name: str) -> Object:
        return {"name": name, "volumeMounts": [{"name": "dumps", "mountPath": "/dumps"}]}

    return {
        "spec": {
            "initContainers": [container("health-keeper")],
            "containers": [{"name": "main-app"}, *map(container, others)],
        }
    }


def test_dumps_that_can_be_written_pass() -> None:
    assert "alone" in looked(KEPT, answer=always("x\n"), manifest=unchanging(pod()))


def test_dumps_that_can_not_be_written_fail() -> None:
    said = "sh: can't create /dumps/verify: No space left on device"
    assert said in refused(KEPT, answer=always(said), manifest=unchanging(pod()))


def test_dumps_that_the_app_mounts_too_fail() -> None:
    seen = refused(KEPT, answer=always("x\n"), manifest=unchanging(pod("app-2")))
    assert seen == "mounted by health-keeper, app-2"
