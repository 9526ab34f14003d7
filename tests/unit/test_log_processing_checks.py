"""The checks of log processing pass on what it promises, and on nothing less."""

import json
import subprocess

import pytest

from components.checks import Line, log_processing
from tests.unit.simulated import START, always, looked, named, refused

CHECKS = log_processing.checks({})
JSON = named(CHECKS, "lines become JSON")
MASKED = named(CHECKS, "secrets masked")
KEEPS_UP = named(CHECKS, "keeps up")
BOUNDED = named(CHECKS, "volume bounded")
OWN = '{"time":"x","level":"INFO","sidecar":"log-processor","message":"begins at 1:0"}'


def record(place: str, message: str = "request=1 password=***") -> str:
    return json.dumps({"time": "x", "id": place, "message": message})


def log(*texts: str, begin: float = 95) -> dict[str, list[Line]]:
    """A line every 10 s; the check begins 100 s after the start."""
    return {
        "log-processor": [
            Line(START + begin + 10 * number, text) for number, text in enumerate(texts)
        ]
    }


def test_a_new_record_after_others_in_order_passes() -> None:
    logs = log(OWN, record("1:0"), record("1:20"), record("2:0"), begin=75)
    assert looked(JSON, logs=logs) == "3 records, each once and in order"


@pytest.mark.parametrize(
    ("texts", "seen"),
    [
        ([record("1:0")], "no new line"),
        ([record("1:0"), "Killed"], "no record: Killed"),
        ([record("1:0"), '{"message":"x"}'], "no record: "),
        ([record("1:0"), '{"id":"1:5"}'], "no record: "),
        ([record("1:0"), '"text"'], "no record: "),
        ([record("1:0"), record("x")], "no record: "),
        ([record("1:0"), record("1:0")], "the record (1, 0) comes after (1, 0)"),
        ([record("2:0"), record("1:9")], "the record (1, 9) comes after (2, 0)"),
    ],
)
def test_what_is_no_json_or_out_of_order_fails(texts: list[str], seen: str) -> None:
    assert seen in refused(JSON, logs=log(*texts))


def test_masked_secrets_pass() -> None:
    def answer(container: str, command: str, _now: float) -> str:
        assert container == "main-app"
        # What counts them is run for real.
        command = command.replace("cat /var/log/app/app.log*", "printf '%s\\n' made-up-key-1 x")
        return subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, check=True
        ).stdout

    seen = looked(MASKED, logs=log(OWN, record("1:0"), begin=80), answer=answer)
    assert seen == "1 of the last 2 lines had a secret, none has it now"


@pytest.mark.parametrize(
    ("message", "in_file", "seen"),
    [
        ("password=made-up-password-1", "3\n", "a secret in clear: "),
        ("hello", "3\n", "0 lines masked"),
        ("password=***", "0\n", "the app's file has 0 with secrets"),
        ("password=***", "", "the app's file has  with secrets"),
    ],
)
def test_a_secret_in_clear_or_none_at_all_fails(message: str, in_file: str, seen: str) -> None:
    logs = log(record("1:0", message), begin=80)
    assert seen in refused(MASKED, logs=logs, answer=always(in_file))


def test_only_what_is_to_be_masked_is_a_secret() -> None:
    check = named(log_processing.checks({"masked_keys": ["session"]}), "secrets masked")
    logs = log(record("1:0", "password=made-up-password-1"), record("1:9", "bearer ***"), begin=80)
    assert "1 of the last 2" in looked(check, logs=logs, answer=always("1\n"))
    logs = log(record("1:0", "Authorization: Bearer made-up-token-1"), begin=80)
    assert "a secret in clear" in refused(check, logs=logs, answer=always("1\n"))


def test_a_place_at_the_end_of_the_file_passes() -> None:
    assert (
        looked(KEEPS_UP, answer=always("3 500 500 500\n")) == "all 500 bytes of file 3 are printed"
    )
    # What has no end yet has been seen.
    assert "all 510 bytes" in looked(KEEPS_UP, answer=always("3 500 510 510\n"))


def test_a_place_may_be_behind_for_a_moment() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "1 500 500 500\n" if now > 105 else "1 400 400 500\n"

    assert "all 500" in looked(KEEPS_UP, answer=answer)


def test_an_app_that_writes_on_is_not_waited_for() -> None:
    def writes(_container: str, _command: str, now: float) -> str:
        printed = int(now) * 100
        return f"1 {printed} {printed} {printed + 100}\n"

    assert looked(KEEPS_UP, answer=writes) == "all 10100 bytes of file 1 are printed"


def test_the_next_file_is_begun_once_all_of_one_is_printed() -> None:
    def rotated(_container: str, _command: str, now: float) -> str:
        return "1 400 400 500\n" if now < 105 else "2 0 0 20\n"

    assert looked(KEEPS_UP, answer=rotated) == "all 500 bytes of file 1 are printed"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ("1 400 450 500\n", "100 bytes of file 1 are not printed"),
        ("tail: no such file\n", "tail: no such file"),
        ("", ""),
    ],
)
def test_a_place_that_stays_behind_fails(answer: str, seen: str) -> None:
    assert refused(KEEPS_UP, answer=always(answer)) == seen


def test_a_volume_within_its_bounds_passes() -> None:
    assert looked(BOUNDED, answer=always("1100\n")) == "1100 KiB, files are rotated at 1024 KiB"


@pytest.mark.parametrize("seen", ["16385", "du: no such directory", ""])
def test_a_volume_that_grows_fails(seen: str) -> None:
    assert refused(BOUNDED, answer=always(f"{seen}\n")) == f"{seen} KiB"
