"""The checks of shared filesystem pass on what it promises, and on nothing less."""

from collections.abc import Callable

import pytest

from components.checks import Check, init_sidecar, shared_filesystem
from tests.unit.simulated import (
    always,
    date,
    looked,
    named,
    refused,
)

PAGES = shared_filesystem.checks({})


def published(interval: int) -> Callable[[float], str]:
    return lambda now: f"{date(now // interval * interval)}\n"


def greeting(now: float) -> str:
    return f"hello {now}\n"


def test_a_page_that_changes_at_the_pace_of_the_sidecar_passes() -> None:
    assert "10 s apart" in looked(named(PAGES, "page changes"), page=published(10))


@pytest.mark.parametrize(
    ("page", "seen"),
    [
        (published(1000), "always the same page"),
        (published(7), "7, 7, 7 s apart"),
        (published(14), "14, 14, 14 s apart"),
        (greeting, "no dates"),
    ],
)
def test_a_page_at_another_pace_fails(page: Callable[[float], str], seen: str) -> None:
    assert seen in refused(named(PAGES, "page changes"), page=page)


def test_a_thousand_whole_reads_that_see_a_change_pass() -> None:
    assert "1,000 whole reads of 2 pages" in looked(
        named(PAGES, "pages are whole"), page=published(10)
    )


@pytest.mark.parametrize("torn", ["", "Mon Nov 23 12:0", f"{date(0)}", f"{date(0)}\nMon "])
def test_one_read_that_is_torn_fails(torn: str) -> None:
    reads = iter(range(1, 1001))

    def page(now: float) -> str:
        return torn if next(reads) == 700 else published(10)(now)

    assert "read 700 was" in refused(named(PAGES, "pages are whole"), page=page)


@pytest.mark.parametrize("checks", [PAGES, init_sidecar.checks({})])
def test_an_app_that_can_write_fails(checks: list[Check]) -> None:
    check = named(checks, "main-app can't write")
    refusal = "/bin/sh: 1: cannot create: Read-only file system\n"
    assert looked(check, answer=always(refusal))
    assert "written" in refused(check, answer=always("written\n"))
    assert "not found" in refused(check, answer=always("sh: not found\n"))


def test_reads_that_are_slow_on_their_way_are_said_to_be_too_few() -> None:
    check = named(PAGES, "pages are whole")
    assert looked(check, page=published(10), page_seconds=0.2)
    seen = refused(check, page=published(10), page_seconds=0.5)
    assert seen == "only 531 reads in time, all whole"
