"""What the keeper of tokens promises, beside what answers as nginx."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from components.parts import program
from components.programs.nginx import served
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

FIRST, SECOND, THIRD = "first-token-of-all", "second.token~of+all/==", "third_token_of_all"
SHORTER = {"OLD_WORKERS = 11": "OLD_WORKERS = 0.3", "TAKE_UP = 5": "TAKE_UP = 0.5"}
"""How long the program waits for nginx, and how long a test lets it."""


class Nginx:
    """Takes up whatever its configuration is, and says which one that is."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration
        self.hangs = False
        self.pause = 0.0
        """Seconds before the next answer."""
        self._text = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pause, outer.pause = outer.pause, 0
                time.sleep(pause)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(outer.generation.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def text(self) -> str:
        """The configuration that it has taken up."""
        if not self.hangs and self.configuration.exists():
            self._text = self.configuration.read_text()
        return self._text

    @property
    def generation(self) -> str:
        found = re.search(r'return 200 "([0-9.]+)"', self.text)
        return found[1] if found else ""

    @property
    def accepted(self) -> list[str]:
        """The tokens that it accepts, the newest first."""
        return re.findall(r'"~\^\(\?i:Bearer\) \+\\Q(\S+)\\E\$" yes;', self.text)


class Keeper:
    """The program, and the files that it reads and writes."""

    def __init__(self, host: Shell, folder: Path) -> None:
        self.host = host
        self.source, self.live = folder / "source", folder / "live"
        self.source.mkdir()
        self.live.mkdir()
        self.nginx = Nginx(self.live / "nginx.conf")
        self.overlap = 60

    def rotate(self, token: str) -> None:
        """Put a token into place as the kubelet does, by a rename: one change to be seen."""
        new = self.source.with_name("new-token")
        new.write_text(token)
        new.rename(self.source / "token")

    def start(self) -> subprocess.Popen[str]:
        args = [self.source / "token", self.live, 8080, self.nginx.port, self.overlap, 3600]
        command = program("keep-token", "token-keeper", *args)
        for longer, shorter in SHORTER.items():
            assert longer in command[4]
            command[4] = command[4].replace(longer, shorter)
        return self.host.run(*command)

    @property
    def status(self) -> str:
        file = self.live / "status"
        return file.read_text().strip() if file.exists() else ""

    def accepts(self, *tokens: str) -> None:
        """Wait until these are accepted, and said to be."""
        former = len(tokens) - 1
        wait_for(lambda: self.nginx.accepted == [*tokens])
        wait_for(
            lambda: re.fullmatch(f"accepting the token of {CLOCK}{UNTIL * former}", self.status)
        )


CLOCK = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
UNTIL = f"; a former one until {CLOCK}"


@pytest.fixture
def keeper(host: Shell, tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(host, tmp_path)
    keeper.rotate(FIRST)
    yield keeper
    keeper.nginx.server.shutdown()
    keeper.nginx.server.server_close()


def test_a_new_token_is_accepted_beside_the_former_one_which_ends_after_the_overlap(
    keeper: Keeper,
) -> None:
    keeper.overlap = 2
    process = keeper.start()
    keeper.accepts(FIRST)
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)
    said = time.monotonic()
    keeper.accepts(SECOND)
    assert 1 <= time.monotonic() - said < 4
    assert log_of(process).count("accepting the token of") == 3


def test_a_former_token_ends_the_whole_overlap_after_the_new_one_is_served(keeper: Keeper) -> None:
    keeper.overlap = 4
    keeper.start()
    keeper.accepts(FIRST)
    keeper.nginx.hangs = True
    keeper.rotate(SECOND)
    time.sleep(4.5)
    keeper.nginx.hangs = False
    keeper.accepts(SECOND, FIRST)


def test_old_workers_are_waited_for_before_anything_is_said(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    before = keeper.status
    keeper.rotate(SECOND)
    wait_for(lambda: keeper.nginx.accepted == [SECOND, FIRST])
    assert keeper.status == before
    keeper.accepts(SECOND, FIRST)


def test_old_workers_are_waited_for_also_when_nginx_is_slow(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    keeper.nginx.pause = 1.5
    keeper.rotate(SECOND)
    wait_for(lambda: keeper.nginx.accepted == [SECOND, FIRST])
    served_at = time.monotonic()
    keeper.accepts(SECOND, FIRST)
    assert time.monotonic() - served_at > 0.2


@pytest.mark.parametrize("pause", [0.2, 0])
def test_an_answer_without_an_end_is_not_waited_for(pause: float) -> None:
    over = Event()

    def answer() -> None:
        with suppress(OSError):
            client, _ = server.accept()
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not over.wait(pause):
                client.sendall(b"." if pause else b"." * 65536)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, daemon=True).start()
        begun = time.monotonic()
        assert len(served(str(server.getsockname()[1]))) < 8192
        over.set()
    assert time.monotonic() - begun < 3


def test_nothing_is_said_before_nginx_serves_it_which_is_asked_again(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    keeper.nginx.hangs = True
    keeper.rotate(SECOND)
    wait_for(lambda: keeper.status == "nginx has not taken up a change yet; what it accepts stays")
    offered = keeper.nginx.configuration.stat().st_ino
    wait_for(lambda: keeper.nginx.configuration.stat().st_ino != offered)
    assert keeper.status.startswith("nginx has not")
    keeper.nginx.hangs = False
    keeper.accepts(SECOND, FIRST)


CHARACTERS = "has characters that no bearer token has"
WRONG = {
    "": "is missing or empty",
    "\n": "is missing or empty",
    "a-few": "has fewer than 16 characters",
    'quoted"-and-long-enough': CHARACTERS,
    "two\nlines-of-which-one": CHARACTERS,
    "with a space in between": CHARACTERS,
    "a-variable-$host-of-nginx": CHARACTERS,
    r"an-end-of-quoting-\E.*\Q": CHARACTERS,
    "a-directive;return-200-to-all": CHARACTERS,
    "padding=not-at-the-end": CHARACTERS,
    "================": CHARACTERS,
    "umläute-sind-keine-token": CHARACTERS,
    "its-line-ends-as-others-do\r\n": CHARACTERS,
    "x" * 1025: "has more than 1024 characters",
}


def test_what_is_no_token_is_refused_by_name_and_the_accepted_ones_stay(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)
    generation = keeper.nginx.generation
    for wrong, reason in WRONG.items():
        keeper.rotate(wrong)
        said = f"the token in the Secret {reason}; accepting the token of "
        wait_for(lambda said=said: keeper.status.startswith(said))
        assert (keeper.nginx.accepted, keeper.nginx.generation) == ([FIRST], generation)
        assert not wrong.strip() or wrong not in log_of(process) + keeper.status
        # Whatever is wrong with the next one is news.
        keeper.rotate(FIRST)
        keeper.accepts(FIRST)
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)


def test_a_secret_that_is_gone_leaves_the_accepted_tokens(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    (keeper.source / "token").rename(keeper.source / "gone")
    wait_for(lambda: keeper.status.startswith("the token in the Secret is missing or empty; acc"))
    assert keeper.nginx.accepted == [FIRST]


def test_without_a_first_token_nginx_gets_no_configuration(keeper: Keeper) -> None:
    keeper.rotate("")
    keeper.start()
    wait_for(lambda: keeper.status.endswith("is missing or empty; no token is accepted yet"))
    assert not keeper.nginx.configuration.exists()
    keeper.rotate(FIRST)
    keeper.accepts(FIRST)


def test_of_several_rotations_within_an_overlap_three_former_tokens_stay(keeper: Keeper) -> None:
    keeper.start()
    tokens = [f"token-number-{number}-of-six" for number in range(6)]
    for count, token in enumerate(tokens, 1):
        keeper.rotate(token)
        keeper.accepts(*reversed(tokens[max(0, count - 4) : count]))


def test_a_token_that_comes_back_is_no_former_one(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    for tokens in ([SECOND, FIRST], [FIRST, SECOND], [THIRD, FIRST, SECOND]):
        keeper.rotate(tokens[0])
        keeper.accepts(*tokens)


def test_the_same_token_once_more_makes_nginx_load_nothing(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    before = keeper.nginx.configuration.stat()
    keeper.rotate(FIRST)
    keeper.rotate(f"{FIRST}\n")
    time.sleep(1)
    assert keeper.nginx.configuration.stat() == before


def test_a_keeper_that_starts_again_knows_the_former_tokens_and_their_ends(keeper: Keeper) -> None:
    keeper.overlap = 3
    process = keeper.start()
    keeper.accepts(FIRST)
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)
    said, status = time.monotonic(), keeper.status
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    generation = keeper.nginx.generation
    keeper.start()
    wait_for(lambda: keeper.nginx.generation != generation)
    keeper.accepts(SECOND, FIRST)
    assert keeper.status == status
    keeper.accepts(SECOND)
    assert 2 <= time.monotonic() - said < 4.5


def test_a_token_that_comes_while_the_keeper_is_away_is_a_rotation_too(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    keeper.rotate(SECOND)
    keeper.start()
    keeper.accepts(SECOND, FIRST)


def test_no_token_is_an_argument_or_in_an_environment_or_a_log(keeper: Keeper) -> None:
    keeper.overlap = 1
    process = keeper.start()
    seen = b""
    for token in (FIRST, SECOND, THIRD):
        keeper.rotate(token)
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            seen += _seen_of(process.pid)
    assert b"keep-token" in seen
    for token in (FIRST, SECOND, THIRD):
        assert token.encode() not in seen
        assert token not in log_of(process) + keeper.status


def _seen_of(session: int) -> bytes:
    """The arguments and environments of all processes of a session."""
    seen = b""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ProcessLookupError):
            if os.getsid(int(folder.name)) == session:
                seen += (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
    return seen


def test_files_with_tokens_are_for_their_user_alone(keeper: Keeper) -> None:
    keeper.start()
    keeper.accepts(FIRST)
    assert {file.stat().st_mode & 0o777 for file in keeper.live.iterdir()} == {0o600}


def test_the_keeper_is_one_process_with_one_thread_whatever_happens(keeper: Keeper) -> None:
    process = keeper.start()
    for token in (FIRST, SECOND):
        keeper.rotate(token)
        wait_for(lambda token=token: keeper.nginx.accepted[:1] == [token])
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert _running(process.pid) == {process.pid}
            assert len([*Path(f"/proc/{process.pid}/task").iterdir()]) == 1


def _running(session: int) -> set[int]:
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getsid(int(folder.name)) == session:
                found.add(int(folder.name))
    return found


def test_a_keeper_that_waits_takes_no_time(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)

    def turns() -> list[str]:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return [line for line in status.splitlines() if "ctxt_switches" in line]

    time.sleep(0.2)
    before = turns()
    time.sleep(1)
    assert turns() == before


def test_a_disk_that_is_full_is_said_and_the_accepted_tokens_stay(keeper: Keeper) -> None:
    """A directory in the file's place stands for it."""
    process = keeper.start()
    keeper.accepts(FIRST)
    hindrance = keeper.live / "nginx.conf.new"
    hindrance.mkdir()
    keeper.rotate(SECOND)
    wait_for(lambda: f"cannot publish {keeper.live / 'nginx.conf'}: " in log_of(process))
    time.sleep(0.3)
    assert (process.poll(), keeper.nginx.accepted) == (None, [FIRST])
    assert log_of(process).count("cannot publish") == 1
    hindrance.rmdir()
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no line of it\n", "9999999999 -\n", f"x - {THIRD}\n", "\0" * 9),
        '9999999999 - whoever";return-200-to-all\n',
    ],
)
def test_a_list_of_tokens_that_is_damaged_is_as_none(keeper: Keeper, text: str) -> None:
    (keeper.live / "tokens").write_text(text)
    keeper.start()
    keeper.accepts(FIRST)


def test_term_ends_the_keeper_within_a_second(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)
    ends_within_a_second(process)


def test_term_ends_a_keeper_that_waits_for_nginx(keeper: Keeper) -> None:
    keeper.nginx.hangs = True
    process = keeper.start()
    wait_for(keeper.nginx.configuration.exists)
    ends_within_a_second(process)


def test_term_ends_a_keeper_whose_nginx_does_not_answer(keeper: Keeper) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        keeper.nginx.port = silent.getsockname()[1]
        process = keeper.start()
        silent.accept()
        ends_within_a_second(process)
