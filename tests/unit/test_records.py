"""What becomes of an app's lines: always JSON, always masked, each once from its place on."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.log_processing import MASKED_KEYS, names_pattern
from components.parts import program
from components.programs.masks import Masks
from components.programs.process_log import LogProcessor
from components.programs.records import WINDOW, lines_of
from tests.unit.shell import Shell, wait_for

SECRET = "made-up"
NAMES = names_pattern(MASKED_KEYS)


class Printed(NamedTuple):
    """What reading a file has come to."""

    records: list[dict[str, Any]]
    remarks: list[dict[str, Any]]
    place: list[int]
    """Generation, position, the end of what was seen."""

    @property
    def messages(self) -> list[str]:
        return [record["message"] for record in self.records]


class Reader:
    """Reads files as the sidecar does."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        self.log, self.place, self.capture = folder / "app.log", folder / "position", capture

    def read(self, data: bytes, position: int = 0, last: bool = False) -> Printed:
        self.log.write_bytes(data)
        self.place.write_text(f"7 {position} {position} {position}\n")
        folder = self.place.parent
        processor = LogProcessor(self.log, folder, folder, 1 << 30, 0, NAMES, "nobody")
        processor.follow(self.log, last)
        output, errors = self.capture.readouterr()
        assert not output or output.endswith(b"\n")
        records, remarks = (
            [json.loads(line) for line in text.split(b"\n")[:-1]] for text in (output, errors)
        )
        return Printed(records, remarks, [int(word) for word in self.place.read_text().split()][:3])

    def message(self, text: str) -> str:
        return self.read(f"{text}\n".encode()).messages[0]


@pytest.fixture
def reader(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Reader:
    return Reader(tmp_path, capfdbinary)


def test_a_line_becomes_an_object_with_its_time_level_and_place(reader: Reader) -> None:
    text = "2026-11-25T20:00:00Z INFO one\n2026-11-25T20:00:00.5+01:00 ERROR two\nthree\n"
    printed = reader.read(text.encode())
    first, second, third = printed.records
    assert first == {
        "time": "2026-11-25T20:00:00Z",
        "id": "7:0",
        "level": "INFO",
        "message": "one",
    }
    assert second["time"] == "2026-11-25T20:00:00.5+01:00"
    assert (second["id"], second["level"], second["message"]) == ("7:30", "ERROR", "two")
    # Without a time of its own it gets the sidecar's.
    assert third.keys() == {"time", "id", "message"}
    assert third["message"] == "three"
    assert printed.place == [7, len(text), len(text)]


@pytest.mark.parametrize(
    "text",
    [
        'say "hi" and \\ and \\" and \\\\',
        "tab\tcarriage\rescape\x1bdelete\x7fbell\x07",
        "Grüße, 世界, 🎉",
        "",
        " ",
        "%s %d %% & \\& $0 `x` $(x)",
        '{"already": "JSON", "n": [1, 2.5e3, null]}',
        "2026-11-25T20:00:00 without a zone",
        "2026-11-25 INFO",
        "INFO without a time",
    ],
)
def test_any_text_comes_through_as_it_is(reader: Reader, text: str) -> None:
    assert reader.message(text) == text


def test_what_is_no_utf8_becomes_the_replacement_character(reader: Reader) -> None:
    odd = {
        b"\xff": "\ufffd",
        b"a\x00b": "a\ufffdb",
        # Overlong, a surrogate, too large, cut off.
        b"\xc0\xaf": "\ufffd\ufffd",
        b"\xed\xa0\x80": "\ufffd" * 3,
        b"\xf5\x80\x80\x80": "\ufffd" * 4,
        b"\xe2\x82": "\ufffd" * 2,
        b"\xe4\xb8\x96\xe2\x82ok\xc3\xa4": "\u4e16\ufffd\ufffdok\u00e4",
        # Longer than the parts in which it is looked at.
        **{
            b"x" * n + "🎉".encode() * 600 + b"\xff": "x" * n + "🎉" * 600 + "\ufffd"
            for n in range(4)
        },
    }
    printed = reader.read(b"".join(line + b"\n" for line in odd))
    assert printed.messages == [*odd.values()]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_whatever_bytes_come_each_line_is_one_object(reader: Reader, data: list[bytes]) -> None:
    printed = reader.read(b"".join(line + b"\n" for line in data))
    assert len(printed.records) == len(data)
    assert printed.place[1] == sum(len(line) + 1 for line in data)


SAID = [
    f"password={SECRET}",
    f"PASSWORD={SECRET} rest",
    f"Password: {SECRET}",
    f"password = {SECRET}",
    f"db_password={SECRET}",
    f"db.passwd={SECRET}",
    f'"password":"{SECRET}"',
    f'{{"user": "joe", "password" : "{SECRET}", "n": 1}}',
    f"{{'password': '{SECRET}'}}",
    f"{{'password': b'{SECRET} {SECRET}'}}",
    f'password="{SECRET} {SECRET}"',
    f'{{"password": "a\\"{SECRET}\\\\\\"{SECRET}"}}',
    f'"{{\\"password\\": \\"{SECRET}\\", \\"n\\": 1}}"',
    f'"{{\\\\\\"password\\\\\\": \\\\\\"{SECRET}\\\\\\"}}"',
    f'"password": "{SECRET} never ends',
    f'{{"password":["{SECRET}"]}}',
    f"accessToken={SECRET}",
    f"access_token={SECRET}&user=joe",
    f"GET /?token={SECRET} HTTP/1.1",
    f"token={SECRET},{SECRET};{SECRET}",
    f"token\t=\t{SECRET}",
    f"client_secret: {SECRET}",
    f"api_key={SECRET} apiKey={SECRET} api-key={SECRET} APIKEY={SECRET}",
    f"X-Api-Key: {SECRET}",
    f"aws_secret_access_key={SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"authorization: basic {SECRET}==",
    f"Authorization: {SECRET}",
    f'"Authorization": "Bearer {SECRET}"',
    f"curl -H 'Authorization: Bearer {SECRET}' https://example.org",
    f'Proxy-Authorization: Digest username="{SECRET}", response="{SECRET}"',
    f"bearer {SECRET}",
    f"got BEARER {SECRET}.{SECRET}.{SECRET}",
    f"mysql --password {SECRET} --host db",
    f"mysql --db-password={SECRET}",
    f"postgres://app:{SECRET}@db/app",
    f"redis://:{SECRET}@cache and amqp://joe:{SECRET}@queue",
    f"password={SECRET} token={SECRET} secret={SECRET}",
    f"password==={SECRET}",
    f"password=secret={SECRET}",
    f"password:password={SECRET}",
    f"2026-11-25T20:00:00Z INFO password={SECRET}",
    f"2026-11-25T20:00:00Z password: {SECRET}",
    f"password => {SECRET} password := '{SECRET} {SECRET}'",
    f"--password = '{SECRET} {SECRET}'",
    # Passwords as people have them, which a URL should have encoded.
    f"postgres://joe:p@ss-{SECRET}@db/x",
    f"postgres://joe:p@{SECRET}@{SECRET}@db/x?mail=joe@example.org",
    f"postgres://joe:p|{SECRET}@{SECRET}/{SECRET}@db",
    f"postgres://joe:it's-{SECRET}@db",
    f"'postgres://joe:it's-{SECRET}@db'",
    f'"postgres://joe:it\'s-{SECRET}@db"',
    f"['postgres://a:{SECRET}@db','postgres://b:{SECRET}@db']",
    f"url='postgres://a:b@{SECRET}@db'",
    f"a@b,postgres://joe@corp.example:{SECRET}@db",
    f"https://x/?next=postgres://joe:{SECRET}@db",
    f"https://ghp_{SECRET}@github.com",
    f"'https://{SECRET}@github.com/x' 'ssh://{SECRET}@github.com'",
    f"https://to@ken-{SECRET}@github.com/x",
    # Whatever the scheme.
    f"Authorization: NTLM {SECRET}",
    f"Authorization: SharedKey acc:{SECRET}",
    f"Authorization: Made-Up {SECRET} {SECRET}",
    f"Authorization: AWS4-HMAC-SHA256 Credential={SECRET}/b, Signature={SECRET}",
    f'Authorization: OAuth oauth_token="{SECRET}", oauth_signature="{SECRET}"',
    f'"Authorization: OAuth oauth_token="{SECRET}", oauth_signature="{SECRET}""',
    f'"Authorization: OAuth oauth_token=\\"{SECRET}\\", oauth_signature=\\"{SECRET}\\""',
    f'\'Authorization: OAuth oauth_token="{SECRET}", oauth_signature="{SECRET}"\'',
    f"Authorization: Bearer Bearer {SECRET} Authorization: Bearer token {SECRET}",
    f'"authorization": ["NTLM {SECRET}", "Basic {SECRET}"]',
    f"map[Authorization:[Basic {SECRET}] Accept:[*/*]]",
    f"{{Authorization=NTLM {SECRET}, Accept=*/*}}",
    f"Proxy-Authorization = Made-Up {SECRET}",
]


def test_secrets_are_masked_however_they_are_said(reader: Reader) -> None:
    printed = reader.read("".join(f"{line}\n" for line in SAID).encode())
    assert len(printed.messages) == len(SAID)
    for line, message in zip(SAID, printed.messages, strict=True):
        assert "***" in message, line
        assert SECRET not in message, line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"user": "joe", "password": "x", "n": 1}', '{"user": "joe", "password": "***", "n": 1}'),
        ("{'a': 1, 'token': 'x', 'b': 2}", "{'a': 1, 'token': '***', 'b': 2}"),
        ("user=joe password=x status=200", "user=joe password=*** status=200"),
        ("Authorization: Bearer x status=200", "Authorization: *** status=200"),
        ("postgres://app:x@db/app?a=b", "postgres://***@db/app?a=b"),
        ('{"password": ""}', '{"password": "***"}'),
        ("mysql --password x --host db", "mysql --password *** --host db"),
        ("'a://b:x@c','joe@example.org'", "'a://***@c','joe@example.org'"),
        ('"a://b:x@c","joe@example.org"', '"a://***@c","joe@example.org"'),
        ("https://x@c/?mail=joe@example.org", "https://***@c/?mail=joe@example.org"),
        ("https://x@c,joe@example.org", "https://***@c,joe@example.org"),
        ("a://b:x@c joe@example.org", "a://***@c joe@example.org"),
        ("ssh://git@example.org:22/x", "ssh://***@example.org:22/x"),
        ("Authorization: NTLM x status=200", "Authorization: *** status=200"),
        ("curl -H 'Authorization: A x' c", "curl -H 'Authorization: ***' c"),
        ('curl -H "Authorization: A x" c', 'curl -H "Authorization: ***" c'),
        ('{"authorization": "A x", "n": 1}', '{"authorization": "***", "n": 1}'),
        ('{"authorization":null,"n":1}', '{"authorization":***,"n":1}'),
        ("authorization=none status=200", "authorization=*** status=200"),
    ],
)
def test_what_stands_beside_a_secret_stays(reader: Reader, text: str, message: str) -> None:
    assert reader.message(text) == message


@pytest.mark.parametrize(
    "text",
    [
        "the password is wrong",
        "tokens=5 token_count=5",
        "secretary: Joe",
        "http://example.org:8080/a",
        "joe@example.org",
        "https://example.org/@joe https://example.org/@a/b@1.0?mail=joe@example.org",
        "see https://example.org,joe@example.org or https://example.org|joe@example.org",
        "git@example.org:joe/x",
        "authorization failed for joe",
        "passwords: none",
    ],
)
def test_what_is_no_secret_stays(reader: Reader, text: str) -> None:
    assert reader.message(text) == text


def test_a_line_without_its_end_waits_for_it(reader: Reader) -> None:
    printed = reader.read(b"one\ntw")
    assert (printed.messages, printed.place) == (["one"], [7, 4, 6])
    printed = reader.read(b"one\ntwo\n", position=4)
    assert (printed.messages, printed.place) == (["two"], [7, 8, 8])


def test_the_last_line_needs_no_end(reader: Reader) -> None:
    printed = reader.read(b"one\ntw", last=True)
    assert (printed.messages, printed.place) == (["one", "tw"], [7, 6, 6])


def test_every_place_in_a_file_is_gone_on_from(reader: Reader) -> None:
    lines = [f"{number} {'x' * (number % 91)}" for number in range(400)]
    data = "".join(f"{line}\n" for line in lines).encode()
    begins = [0]
    for line in lines:
        begins.append(begins[-1] + len(line) + 1)
    # Around the blocks that it is read by, too.
    edges = [n for n, at in enumerate(begins) if at % 4096 < 91 or at % 4096 > 4005]
    for number in [0, 1, 2, *edges, 399, 400]:
        printed = reader.read(data, position=begins[number])
        assert printed.messages == lines[number:], number
        assert printed.place == [7, len(data), len(data)]


def test_a_place_at_the_very_beginning_of_a_block_is_gone_on_from(reader: Reader) -> None:
    data = b"x" * 4095 + b"\nnext\n"
    assert reader.read(data, position=4096).messages == ["next"]


def test_a_file_that_became_shorter_is_noticed(reader: Reader) -> None:
    for position in (5, 4095, 4096, 4097, 200_000):
        printed = reader.read(b"one\n", position=position)
        assert (
            "became shorter: what was not printed by then is lost"
            in (printed.remarks[0]["message"])
        )
        # From its new beginning, under other names than before.
        assert printed.messages == ["one"]
        assert printed.records[0]["id"] == "8:0"
        assert printed.place == [8, 4, 4]
    assert reader.read(b"", position=0).remarks == []


def test_a_long_file_is_read_to_its_end_and_each_line_once(reader: Reader) -> None:
    lines = [f"line {number} {'x' * (number * 7 % 300)}" for number in range(2000)]
    data = "".join(f"{line}\n" for line in lines).encode()
    printed = reader.read(data)
    assert printed.messages == lines
    assert len({record["id"] for record in printed.records}) == len(lines)
    assert printed.place == [7, len(data), len(data)]


def test_a_line_that_is_too_long_comes_in_pieces_with_nothing_lost(reader: Reader) -> None:
    words = " ".join(f"word-{number}" for number in range(30_000))
    for text in (words, words.replace(" ", "_"), "x" + "世界🎉" * 20_000):
        printed = reader.read(f"before\n{text}\nafter\n".encode())
        messages = printed.messages
        assert (messages[0], messages[-1]) == ("before", "after")
        assert "".join(messages[1:-1]) == text
        # Each but the last piece says that it is one.
        marks = [record.get("partial", False) for record in printed.records]
        assert marks == [False, *[True] * (len(marks) - 3), False, False]
        assert len(marks) > 4


def test_a_secret_is_not_cut_in_two(reader: Reader) -> None:
    for shift in range(-30, 31, 3):
        text = "x " * ((WINDOW + shift) // 2 - 20) + f'y "password": "{SECRET} {SECRET}" z'
        said = "".join(reader.read(f"{text} {'x ' * 20_000}\n".encode()).messages)
        assert SECRET not in said
        assert "***" in said


def pieces(text: str) -> list[str]:
    """What is printed of a line, which may be too long for one record."""
    masks, data, printed = Masks(NAMES), f"{text}\n".encode(), list[str]()
    while data:
        for line in lines_of(data[:WINDOW], masks, last=True):
            printed.append(masks.masked(line.text).decode())
            data = data[line.size :]
    return printed


@pytest.mark.parametrize("fill", ["lorem ipsum ", "token=x ", '"a":"b","n":1,', "a=1&b=2&"])
@pytest.mark.parametrize("begin", ["", "it says ", '{"token":"x","text":"', "Bearer x ", "token:"])
def test_a_secret_is_not_cut_in_two_whatever_comes_before(begin: str, fill: str) -> None:
    secrets = [f'"password":"{SECRET}"', f'\\"password\\":\\"{SECRET}\\"']
    if " " in fill:
        secrets += [
            *(f"db-password  :  {SECRET}", f"password = '{SECRET} {SECRET}'", f"Bearer {SECRET}"),
            *(f"--token   {SECRET}", f"'a://joe:{SECRET}@db'", f"Authorization: NTLM {SECRET}"),
        ]
    elif begin == "token:":
        # Nothing would separate its value from what follows.
        begin = "token "
    for secret in secrets:
        for shift in range(0, len(secret) + 3, 3):
            count, rest = divmod(WINDOW - len(begin) - shift - 1, len(fill))
            text = begin + fill * count + "y" * rest + fill[-1]
            printed = pieces(f"{text}{secret} {'x ' * 3000}")
            assert SECRET not in "".join(printed), (secret, shift)
            assert 1 < len(printed) < 5


def test_a_secret_is_not_cut_in_two_in_an_endless_one() -> None:
    for shift in range(1, 24, 2):
        text = "Authorization: Made-Up" + " x" * ((WINDOW - 22 - shift) // 2)
        printed = pieces(f"{text} password={SECRET} {'x ' * 999}")
        assert printed[0] == "Authorization: ***"
        assert SECRET not in "".join(printed), shift


def test_long_lines_of_nasty_bytes_take_no_forever(reader: Reader) -> None:
    began = time.monotonic()
    for part in (
        *(b"\xff", b'"', b"\\", b"\x01", b"password=a ", b"token ", b'"token":"\\" ', b"token"),
        *(b"-", b"--a", b"--token", b"x--", b"://", b"://a:", b"a://b:c@d ", b"token=://:"),
        *(b"@", b"://@", b"://a@", b"'://a:", b"'://a:@", b"'a", b"a:b://", b"'a://b", b"://'"),
        *(b"authorization", b"authorization:", b"'authorization:a ", b"authorization: bearer "),
        *(b"bearer ", b"token\t", b"token=", b"=", b"token:>", b"'", b"basic "),
    ):
        data = part * (60_000 // len(part)) + b"\n"
        assert len(reader.read(data).records) == 1
    assert time.monotonic() - began < 10


def test_without_a_pipe_who_is_killed_has_kept_a_place_for_what_is_printed_and_no_more(
    host: Shell, tmp_path: Path
) -> None:
    lines = "".join(f"{number} {'x' * 3000}\n" for number in range(15))
    (tmp_path / "app.log").write_text(lines)
    # Each write is a message of its own, and nobody reads them, so soon it can write no more.
    printer, screen = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    printer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    place = tmp_path / "position"
    process = subprocess.Popen(
        program("process-log", "it", tmp_path / "app.log", tmp_path, tmp_path, 1 << 20, 1, NAMES),
        env={**host.env, "TARGET": "nobody"},
        stdout=printer.fileno(),
        start_new_session=True,
    )
    printer.close()
    wait_for(lambda: place.exists() and not place.read_text().startswith("1 0 "))
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    position = int(place.read_text().split()[1])
    assert 0 < position < len(lines)
    printed = [json.loads(record) for record in iter(lambda: screen.recv(65536), b"")]
    screen.close()
    # At most the one in between.
    begins = [int(record["id"].partition(":")[2]) for record in printed]
    kept = sum(begin < position for begin in begins)
    assert kept <= len(printed) <= kept + 1
    assert position == sum(len(line) for line in lines.splitlines(keepends=True)[:kept])
