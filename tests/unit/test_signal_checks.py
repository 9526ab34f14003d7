"""The checks of signal pass on what it promises, and on nothing less."""

from collections.abc import Callable

import pytest

from components.checks import Line, signal
from components.manifest import Object
from tests.unit.simulated import (
    date,
    every,
    looked,
    named,
    refused,
)

SIGNALS = signal.checks({})
SENT = every(10, lambda _: "Sending SIGHUP to main process...")


def answers(delay: float, text: str = "Received SIGHUP!") -> list[Line]:
    return [Line(line.time + delay, text) for line in SENT]


@pytest.mark.parametrize(
    ("delay", "shown"), [(0.002, 2), (0.9, 900), pytest.param(-0.4, 1, id="stamped late")]
)
def test_signals_that_are_answered_at_once_pass(delay: float, shown: int) -> None:
    logs = {"signal-sender": SENT, "main-app": answers(delay)}
    seen = looked(named(SIGNALS, "signals answered"), logs=logs)
    assert seen == f"2 signals, answered within {shown} ms"


@pytest.mark.parametrize(
    ("logs", "seen"),
    [
        ({"signal-sender": SENT, "main-app": answers(1.2)}, "-8.8 s, +1.2 s"),
        ({"signal-sender": SENT, "main-app": answers(-0.6)}, "without an answer"),
        ({"signal-sender": SENT, "main-app": answers(0, "Hangup")}, "without an answer"),
        ({"signal-sender": SENT, "main-app": answers(0)[:11]}, "without an answer"),
        ({"signal-sender": SENT[:10], "main-app": answers(0)}, "0 signals sent"),
    ],
)
def test_signals_that_are_late_or_lost_fail(logs: dict[str, list[Line]], seen: str) -> None:
    assert seen in refused(named(SIGNALS, "signals answered"), logs=logs)


def test_a_signal_is_not_answered_by_the_answer_to_the_next() -> None:
    sent = every(2, lambda _: "Sending SIGHUP to main process...")
    lost = [Line(line.time + 0.1, "Received SIGHUP!") for line in sent if line.time % 4]
    logs = {"signal-sender": sent, "main-app": lost}
    check = named(signal.checks({"interval_seconds": 2}), "signals answered")
    assert "without an answer" in refused(check, logs=logs)


def test_signals_that_are_rare_are_found_in_a_busy_log() -> None:
    checks = signal.checks({"interval_seconds": 200, "app_interval_seconds": 1})
    rare = every(200, lambda _: "Sending SIGHUP to main process...")
    busy = [Line(line.time + 0.01, "Received SIGHUP!") for line in rare]
    busy += every(0.1, lambda time: date(time))
    logs = {"signal-sender": rare, "main-app": sorted(busy, key=lambda line: line.time)}
    assert looked(named(checks, "signals answered"), logs=logs, now=1)


def process(pid: int, name: str, parent: int, start: float, arguments: str) -> str:
    fields = ["S", str(parent), *["0"] * 17, str(int(start * 100)), *["0"] * 30]
    return f"{pid} ({name}) {' '.join(fields)} {arguments}"


def listed(slept: float = 5, sender: int = 7) -> Callable[[str, str, float], str]:
    """The pod's processes: two shells, whose sleeping children are renewed after `slept`."""

    def answer(_container: str, _command: str, now: float) -> str:
        step = int(now // slept)
        return "\n".join(
            [
                f"{now}",
                process(1, "pause", 0, 0, "/pause"),
                process(sender, "sh", 0, 1, "/bin/sh -c ... signal-sender 10 "),
                process(8, "sh", 0, 1, "/bin/sh -c ... main-app Received SIGHUP! 5 "),
                process(1000 + step, "sleep", 8, step * slept, "sleep 5 "),
                # Somebody's `kubectl exec`.
                process(5000 + int(now), "sh", 0, now, "sh -c ls "),
            ]
        )

    return answer


def running(_: float) -> Object:
    return {"status": {"containerStatuses": [{"name": "main-app", "containerID": "x"}]}}


def test_processes_that_go_on_pass() -> None:
    check = named(SIGNALS, "only the app")
    seen = looked(check, manifest=running, logs={"signal-sender": SENT}, answer=listed())
    assert seen == "2 signals, and none of 4 processes ended"


def test_a_child_that_ends_before_its_time_fails() -> None:
    check = named(SIGNALS, "only the app")
    pod = {"manifest": running, "logs": {"signal-sender": SENT}}
    assert "(sleep) ended at a signal" in refused(check, **pod, answer=listed(slept=3))


def test_a_shell_that_is_another_one_fails() -> None:
    check = named(SIGNALS, "only the app")

    def answer(container: str, command: str, now: float) -> str:
        return listed(sender=7 if now < 105 else 9)(container, command, now)

    pod = {"manifest": running, "logs": {"signal-sender": SENT}}
    assert "process 7 (sh) ended" in refused(check, **pod, answer=answer)


def test_a_container_that_is_started_again_fails() -> None:
    def restarted(now: float) -> Object:
        identity = "x" if now < 105 else "y"
        return {"status": {"containerStatuses": [{"name": "main-app", "containerID": identity}]}}

    check = named(SIGNALS, "only the app")
    pod = {"manifest": restarted, "logs": {"signal-sender": SENT}, "answer": listed()}
    assert "started again" in refused(check, **pod)
