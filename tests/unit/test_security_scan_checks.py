"""The checks of security scan pass on what it promises, and on nothing less."""

from collections.abc import Callable
from typing import Any

import pytest

from components.checks import security_scan
from tests.unit.simulated import always, looked, named, refused

CHECKS = security_scan.checks({})
CLEAN, PLANTED, IN_TIME, AWAY = (
    named(CHECKS, name)
    for name in (
        "files as published",
        "planted file found",
        "scans in time",
        "baseline out of reach",
    )
)
ADDED = "added verify.a1b2c3: found file 600 65532:65532 0 bytes, allowed nothing"


def test_files_as_published_pass() -> None:
    state = "3\nclean: all files as published\n"
    assert looked(CLEAN, answer=always(state)) == "clean: all files as published"


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (f"3\nviolated: 1 findings\n{ADDED}\n", ADDED),
        (f"3\nclean: all files as published\n{ADDED}\n", ADDED),
        ("3\npublishing: index.html to come\n", "publishing: index.html to come"),
        ("stat: can't stat '/verdict/status'", "no scan: stat: can't stat"),
        ("", "no scan:"),
    ],
)
def test_anything_else_fails_with_what_is_found(state: str, seen: str) -> None:
    assert seen in refused(CLEAN, answer=always(state))


def test_a_publication_may_take_the_kubelets_time() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "1\nclean: all\n" if now > 180 else "1\npublishing: index.html to come\n"

    assert looked(CLEAN, answer=answer) == "clean: all"


def scans(interval: float) -> Callable[[str, str, float], str]:
    return lambda _container, _command, now: f"{int(now % interval)}\nclean: all\n"


def test_a_scan_each_interval_is_in_time() -> None:
    assert looked(IN_TIME, answer=scans(10)) == "the last scan was never more than 5 s ago"


def test_a_scanner_that_stands_is_found_out() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return f"{int(now - 80)}\nclean: all\n"

    assert refused(IN_TIME, answer=answer) == "the last scan was 30 s ago"


class Volume:
    """A volume with a scanner that sees what is planted so late, and what is removed."""

    def __init__(self, late: float = 5, blind: bool = False, stubborn: bool = False) -> None:
        self.late, self.blind, self.stubborn = late, blind, stubborn
        self.planted: float | None = None
        self.removed = False

    def answer(self, container: str, command: str, now: float) -> str:
        if container == "main-app" and "mktemp" in command:
            self.planted = now
            return "/srv/app/verify.a1b2c3\n"
        if container == "main-app":
            assert command == "rm -f /srv/app/verify.a1b2c3"
            self.removed = True
            return ""
        assert self.planted is not None
        there = not self.removed or self.stubborn
        if there and not self.blind and now > self.planted + self.late:
            return f"1\nviolated: 1 findings\n{ADDED}\n"
        return "1\nclean: all\n"


def test_a_planted_file_is_found_and_taken_away_again() -> None:
    volume = Volume()
    seen = looked(PLANTED, answer=volume.answer)
    assert seen == "found within 6 s, and gone once it was removed"
    assert volume.removed


@pytest.mark.parametrize(
    ("volume", "seen"),
    [
        (Volume(blind=True), "verify.a1b2c3 is not found"),
        (Volume(stubborn=True), "verify.a1b2c3 is removed, and the scanner says: violated"),
        (Volume(late=40), "found only after 40 s"),
    ],
    ids=["blind", "stubborn", "late"],
)
def test_what_is_not_found_or_not_over_fails_and_nothing_is_left(volume: Volume, seen: str) -> None:
    assert refused(PLANTED, answer=volume.answer).startswith(seen)
    assert volume.removed


@pytest.mark.parametrize("answer", ["mktemp: Read-only file system", "", "/etc/x"])
def test_where_nothing_can_be_planted_nothing_is_removed(answer: str) -> None:
    removed: list[str] = []

    def run(_container: str, command: str, _now: float) -> str:
        if command.startswith("rm"):
            removed.append(command)
        return answer

    assert "planting a file answered" in refused(PLANTED, answer=run)
    assert not removed


def test_an_app_that_is_signalled_is_not_alarmed_by_a_check() -> None:
    names = [check.name for check in security_scan.checks({"action": "signal"})]
    assert "planted file found" not in names
    assert "main-app can't write" in names


def test_an_app_that_sees_nothing_of_the_sidecars_passes() -> None:
    refusal = "mkdir: can't create directory '/baseline': Read-only file system\nlooked\n"
    assert looked(AWAY, answer=always(refusal)).startswith("neither")


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ("scanner\nlooked\n", "scanner; looked"),
        ("/proc/12/root/baseline\nlooked\n", "/proc/12/root/baseline; looked"),
        ("/baseline can be made\nlooked\n", "/baseline can be made; looked"),
        ("sh: cat: not found", "sh: cat: not found"),
        ("", "no answer"),
    ],
)
def test_an_app_that_reaches_something_fails_with_what_it_is(answer: str, seen: str) -> None:
    assert refused(AWAY, answer=always(answer)) == seen


def test_intervals_give_the_checks_their_time() -> None:
    args: Any = {"interval_seconds": 300}
    slow = security_scan.checks(args)
    assert all(named(slow, check.name).within >= check.within for check in CHECKS)
    assert named(slow, "planted file found").within >= 600
