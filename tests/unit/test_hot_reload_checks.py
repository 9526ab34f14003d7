"""The checks of hot reload pass on what it promises, and on nothing less."""

import pytest

from components.checks import hot_reload
from tests.unit.simulated import always, looked, named, refused

CHECKS = hot_reload.checks({})
SERVED = named(CHECKS, "configuration served")
LOST = named(CHECKS, "no request lost")


def test_what_is_offered_is_served() -> None:
    assert looked(SERVED, answer=always("abc\nabc\nserving abc\n")) == "serves abc"


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("def\nabc\nserving abc\n", "offered is def, served abc"),
        ("def\nabc\nrefused def, abc stays: unknown\ndirective\n", "unknown directive"),
        ("def\nabc\nserving def\n", "offered is def, served abc"),
        ("def\ndef\n\n", "the sidecar says: "),
        ("", "offered is , served "),
    ],
)
def test_another_configuration_than_the_offered_fails_with_the_reason(
    state: str, seen: str
) -> None:
    assert seen in refused(SERVED, answer=always(state))


def test_a_configuration_may_take_the_kubelets_time() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "new\nnew\nserving new\n" if now > 160 else "new\nold\nserving old\n"

    assert looked(SERVED, answer=answer) == "serves new"


def test_reloads_that_lose_no_request_pass() -> None:
    assert "none failed" in looked(LOST, answer=always("0 of 200 failed\n"))


@pytest.mark.parametrize("seen", ["1 of 200 failed", "sh: kill: no such process", ""])
def test_a_lost_request_fails(seen: str) -> None:
    assert refused(LOST, answer=always(seen)) == seen
