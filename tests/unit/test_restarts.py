"""How far restarts are apart, and that the list of them outlasts whoever writes it."""

import re
from pathlib import Path

import pytest

from components.programs.basics import uptime
from components.programs.restarts import Restarts


def listed(file: Path, *ago: int) -> Restarts:
    """A list that has restarts of so many seconds ago, three of which are allowed in an hour."""
    now = int(uptime())
    file.write_text("".join(f"{now - each} 7:{each}\n" for each in ago))
    return Restarts(file, budget=3, within=3600, backoff=60)


@pytest.mark.parametrize(
    ("ago", "seen"),
    [
        ([], "0 0"),
        ([70], "1 0"),
        ([10], "1 5. backoff"),
        ([500, 110], "2 (10|9|8) backoff"),
        ([500, 130], "2 0"),
        ([3000, 2000, 1000], "3 (600|59.) budget"),
        # It counts no more.
        ([3700, 2000, 1000], "2 0"),
        # From before the machine's last start.
        ([-500, 10], "1 5. backoff"),
    ],
)
def test_the_next_restart_waits_for_backoff_and_budget(
    tmp_path: Path, ago: list[int], seen: str
) -> None:
    hold = listed(tmp_path / "list", *ago).hold()
    assert re.fullmatch(seen, f"{hold.spent} {hold.left} {hold.by}".strip())


def test_a_distance_never_outgrows_the_time_after_which_a_restart_counts_no_more(
    tmp_path: Path,
) -> None:
    file = tmp_path / "list"
    listed(file, *range(100, 0, -1))
    hold = Restarts(file, budget=200, within=3600, backoff=60).hold()
    assert hold.by == "backoff"
    assert 3590 <= hold.left <= 3600


def test_a_restart_that_has_begun_is_known_to_the_next_who_reads_the_list(tmp_path: Path) -> None:
    file = tmp_path / "list"
    before = int(uptime())
    assert listed(file, 5000, 500).begin("8:1")
    begun = listed(tmp_path / "other").begun("8:1")
    assert begun is None
    begun = Restarts(file, 3, 3600, 60).begun("8:1")
    assert begun is not None
    assert before <= begun <= uptime()
    assert [line.split()[1] for line in file.read_text().splitlines()] == ["7:500", "8:1"]


def test_no_restart_begins_that_can_not_be_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Restarts(tmp_path / "no" / "list", 3, 3600, 60).begin("8:1")
    assert "cannot publish" in capsys.readouterr().err


def test_a_line_that_says_nothing_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "list"
    now = int(uptime()) - 10
    file.write_bytes(b"\n\xff\x00 7:1\nx 7:2\n-5 7:3\n" + f"{now} 7:4\n{now}".encode())
    restarts = Restarts(file, 9, 3600, 60)
    assert [restarts.begun(f"7:{which}") for which in range(1, 5)] == [None, None, None, now]
