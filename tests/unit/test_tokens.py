"""What the keeper of tokens promises, run under each shell, beside what answers as nginx."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from components.parts import script
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

FIRST, SECOND, THIRD = "first-token-of-all", "second.token~of+all/==", "third_token_of_all"
SHORTER = {"pause 11": "pause 0.3", "tries=50": "tries=5"}
"""How long the script waits for nginx, and how long a test lets it."""


class Nginx:
    """Takes up whatever its configuration is, and says which one that is."""

    def __init__(self, configuration: Path) -> None:
        self.configuration = configuration
        self.hangs = False
        self._text = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
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
    """The script, and the files that it reads and writes."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.folder = shell, folder
        self.source, self.live = folder / "source", folder / "live"
        self.source.mkdir()
        self.live.mkdir()
        self.nginx = Nginx(self.live / "nginx.conf")
        self.overlap = 60

    def rotate(self, token: str) -> None:
        """Put a token into place as the kubelet does, by a rename."""
        (self.source / "new").write_text(token)
        (self.source / "new").rename(self.source / "token")

    def start(self) -> subprocess.Popen[str]:
        text = script("keep-token", "token-keeper", uses=["watch", "nginx", "tokens"])[2]
        for longer, shorter in SHORTER.items():
            assert longer in text
            text = text.replace(longer, shorter)
        text = text.replace("/tmp/", f"{self.folder}/")
        args = [self.source / "token", self.live, 8080, self.nginx.port, self.overlap, 3600]
        return self.shell.run("sh", "-c", text, "token-keeper", *map(str, args))

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
def keeper(shell: Shell, tmp_path: Path) -> Iterator[Keeper]:
    """The script with inotifywait, which busybox does not bring with it on Debian."""
    found = shutil.which("inotifywait")
    assert found, "inotifywait is missing: `make test` installs it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "inotifywait").symlink_to(found)
    shell.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{shell.env['PATH']}"
    keeper = Keeper(shell, tmp_path)
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
    keeper.overlap = 2
    keeper.start()
    keeper.accepts(FIRST)
    keeper.nginx.hangs = True
    keeper.rotate(SECOND)
    time.sleep(2.5)
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
    assert b"wget" in seen
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


def test_while_nothing_happens_no_process_is_started(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)
    # The first look without being told comes after a second.
    time.sleep(1.5)

    def running() -> set[int]:
        pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
        found: set[int] = set()
        for pid in pids:
            with suppress(ProcessLookupError):
                if os.getsid(pid) == process.pid:
                    found.add(pid)
        return found

    before = running()
    # Itself, inotifywait, and what looks every so often with its sleep.
    assert len(before) == 4
    for _ in range(10):
        time.sleep(0.05)
        assert running() == before


def test_term_ends_the_keeper_within_a_second(keeper: Keeper) -> None:
    process = keeper.start()
    keeper.accepts(FIRST)
    keeper.rotate(SECOND)
    keeper.accepts(SECOND, FIRST)
    ends_within_a_second(process)
