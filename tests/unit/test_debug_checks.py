"""The checks of debug pass on what it promises, and on nothing less."""

from collections.abc import Callable
from typing import Any

import pytest

from components.checks import Line, debug
from components.debug import DebugArgs
from components.manifest import Object
from tests.unit.simulated import START, always, date, looked, named, refused, unchanging

ALONE = debug.checks({})
ON = debug.checks({"toolbox": True, "deadline_seconds": 600, "interval_seconds": 10})
SEES, TRACES, KEPT = (named(ON, name) for name in ("sees the app", "traces the app", ON[2].name))

BOOT = 1000
"""Seconds that the machine ran before the pod started."""


def manifest(*containers: str, **spec: Any) -> Callable[[float], Object]:
    found = [{"name": name} for name in containers]
    return unchanging({"spec": spec, "status": {"containerStatuses": found}})


def test_an_app_alone_passes() -> None:
    assert looked(named(ALONE, "app alone"), manifest=manifest("main-app")) == "main-app is alone"


@pytest.mark.parametrize(
    ("pod", "seen"),
    [
        (manifest("main-app", "toolbox"), "beside the app: toolbox"),
        (manifest("main-app", shareProcessNamespace=True), "nothing, in one process namespace"),
    ],
)
def test_an_app_that_is_not_alone_fails(pod: Callable[[float], Object], seen: str) -> None:
    assert seen in refused(named(ALONE, "app alone"), manifest=pod)


def test_an_app_that_is_process_1_passes() -> None:
    check = named(ALONE, "nothing sees the app")
    assert "process 1 is main-app" in looked(check, answer=always("main-app\n0\n"))


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ("another\n0\n", "process 1 is of another"),
        ("main-app\n2\n", "processes of other control groups"),
        ("", "process 1 is of "),
    ],
)
def test_an_app_that_shares_its_processes_fails(answer: str, seen: str) -> None:
    assert seen in refused(named(ALONE, "nothing sees the app"), answer=always(answer))


def test_what_the_toolbox_sees_is_said() -> None:
    answer = always("15 S 0 4242\n1024\n/dev/null\npipe:[1]\n/data/held\n")
    assert looked(SEES, answer=answer) == "process 15, /data/held and 2 other open files of 1024"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (" \n\n", "process ' '"),
        ("15 S 0 4242\n1024\n/dev/null\n", "files /dev/null"),
        ("15 S 0 4242\n\n/data/held\n", "limit ''"),
        ("", "process ''"),
    ],
)
def test_an_app_of_which_something_is_hidden_fails(answer: str, seen: str) -> None:
    assert seen in refused(SEES, answer=always(answer))


DENIED = "attach: ptrace(PTRACE_SEIZE, 15): Operation not permitted"
GOES_ON = "S 0 4242"


def trace(
    before: str = GOES_ON,
    traced: int = 1,
    after: str = GOES_ON,
    scope: int = 0,
    possible: int = 1,
    said: str = "",
) -> Callable[[str, str, float], str]:
    """What a moment of tracing prints."""
    labels = {"before": before, "traced": traced, "after": after, "scope": scope}
    lines = [f"={key} {value}" for key, value in labels.items()]
    return always(
        "\n".join([lines[0], *filter(None, [said]), *lines[1:], f"=possible {possible}\n"])
    )


def test_an_app_that_is_traced_and_goes_on_passes() -> None:
    assert looked(TRACES, answer=trace()) == "traced for a moment, and goes on"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (trace(traced=0, scope=1, said=DENIED), "kernel.yama.ptrace_scope is 1"),
        (trace(traced=0, possible=0, said=DENIED), "seccomp profile"),
    ],
)
def test_a_policy_that_forbids_tracing_is_named(
    answer: Callable[[str, str, float], str], seen: str
) -> None:
    assert seen in looked(TRACES, answer=answer)


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        # Refused without a policy that would say so.
        (trace(traced=0, said=DENIED), DENIED),
        (trace(traced=0, scope=1, said="strace: not found"), "strace: not found"),
        (trace(traced=0), "not traced"),
        (trace(after="T 0 4242"), "'T 0 4242' after"),
        (trace(after="t 0 4242"), "'t 0 4242' after"),
        (trace(after="S 0 4343"), "'S 0 4343' after"),
        (trace(after=""), "'' after"),
        (trace(before="", after=""), "'' before"),
        # A session that was ended in the middle.
        (always("=before S 0 4242\nHangup\n"), "'' after"),
        (always(""), "'' before"),
    ],
)
def test_an_app_that_is_not_traced_or_does_not_go_on_fails(
    answer: Callable[[str, str, float], str], seen: str
) -> None:
    assert seen in refused(TRACES, answer=answer)


PROGRAM = "2 S 0 100010 0::/toolbox, python3"
APP = "15 S 0 100200 0::/app, sh"


def processes(*sessions: str, stays: bool = False) -> Callable[[str, str, float], str]:
    """What main-app sees: `sessions` begin with their start in seconds after the pod's."""

    def answer(container: str, command: str, now: float) -> str:
        if container == "toolbox":
            # The check's own session.
            assert command == "sleep 15; echo stayed"
            return "stayed\n" if stays else "Hangup\n"
        lines = [f"{START + now:.0f} {BOOT + now:.2f} S 0 {BOOT * 100}", "2", PROGRAM, APP]
        for number, session in enumerate(sessions):
            start, _, name = session.partition(" ")
            ticks = int((BOOT + float(start)) * 100)
            lines.append(f"{100 + number} S 0 {ticks} 0::/toolbox, {name}")
        lines.append("71   ")
        return "\n".join(lines) + "\n"

    return answer


def log(*closed: str) -> dict[str, list[Line]]:
    """What the toolbox says at its start, and what at its deadline."""
    first = Line(START, f"Open until {date(600)}: sessions see all containers of this pod")
    last = [Line(START + 600.1, text) for text in closed]
    return {"toolbox": [first, Line(START, "Tracing: allowed"), *last]}


CLOSED = f"Closed since {date(600)}: a session is ended within 13 s"


def test_before_the_deadline_sessions_are_fine() -> None:
    seen = looked(KEPT, logs=log(), answer=processes("5 sleep"), now=100)
    assert seen == "open for another 500 s"


def test_after_the_deadline_nothing_runs() -> None:
    seen = looked(KEPT, logs=log(CLOSED), answer=processes(), now=700)
    assert seen == "closed for 100 s, and nothing runs in it; a session that began was ended"


def test_a_session_of_the_checks_own_that_stays_fails() -> None:
    seen = refused(KEPT, logs=log(CLOSED), answer=processes(stays=True), now=700)
    assert "a session stayed for 15 s" in seen


def test_an_interval_longer_than_any_session_of_a_check_is_believed() -> None:
    args: DebugArgs = {"toolbox": True, "deadline_seconds": 600, "interval_seconds": 60}
    check = named(debug.checks(args), "deadline kept")
    answer = processes(stays=True)
    assert looked(check, logs=log(CLOSED), answer=answer, now=700).endswith("runs in it")


def test_a_session_that_begins_later_has_the_interval() -> None:
    looked(KEPT, logs=log(CLOSED), answer=processes("695 sleep"), now=700)


@pytest.mark.parametrize("begun", [5, 650])
def test_a_session_that_is_left_fails_by_name(begun: int) -> None:
    answer = processes(f"{begun} my tool")
    assert "my tool (100)" in refused(KEPT, logs=log(CLOSED), answer=answer, now=700)


def test_a_toolbox_that_does_not_close_fails() -> None:
    assert "Open until" in refused(KEPT, logs=log(), answer=processes(), now=700)


def test_another_deadline_than_that_of_the_pods_age_fails() -> None:
    logs = {"toolbox": [Line(START, f"Open until {date(900)}: sessions see all")]}
    assert "s are left" in refused(KEPT, logs=logs, answer=processes(), now=100)


def test_a_toolbox_that_says_nothing_fails() -> None:
    logs = {"toolbox": [Line(START, "Tracing: allowed")]}
    assert "nothing of a deadline" in refused(KEPT, logs=logs, answer=processes(), now=100)


def test_a_toolbox_whose_processes_are_hidden_fails() -> None:
    answer = always(f"{START:.0f} {BOOT}.00 S 0 {BOOT * 100}\n\n{APP}\n")
    assert "can't be seen" in refused(KEPT, logs=log(), answer=answer, now=100)
