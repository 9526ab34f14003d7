"""What an app whose plug-ins are fetched can rely on."""

import gzip
import hashlib
import io
import re
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from components.parts import program, script
from components.plugin_offer import ENTRY, greeter
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

MOST = 1 << 20
"""Bytes that a bundle may have."""

ONE, TWO, THREE = (greeter({"version": f"{number}.0.0"})[0] for number in (1, 2, 3))


def digest(bundle: bytes) -> str:
    return hashlib.sha256(bundle).hexdigest()


class Source:
    """A server whose answers tests choose."""

    def __init__(self) -> None:
        self.bundles: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler, bytes], None] = whole
        source = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                source.asked.append(self.path)
                if self.path in source.bundles:
                    source.answer(self, source.bundles[self.path])
                else:
                    self.send_error(404)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def whole(request: BaseHTTPRequestHandler, bundle: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(bundle)))
    request.end_headers()
    request.wfile.write(bundle)


def cut(request: BaseHTTPRequestHandler, bundle: bytes) -> None:
    """End before all that was promised has been sent."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(bundle)))
    request.end_headers()
    request.wfile.write(bundle[:100])


def endless(request: BaseHTTPRequestHandler, bundle: bytes) -> None:
    """Don't say how much there is, and send more than anybody wants."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    try:
        for _ in range(3 * MOST // 4096):
            request.wfile.write(b"1000\r\n" + bytes(4096) + b"\r\n")
    except OSError:
        return


class Fetcher:
    """The program, the directories that it has in a pod, and its source."""

    def __init__(self, host: Shell, folder: Path, source: Source) -> None:
        self.host, self.folder, self.source = host, folder, source
        self.offers, self.plugins, self.tmp = (folder / name for name in ("offer", "plugins", "t"))
        for directory in (self.offers, self.plugins, self.tmp):
            directory.mkdir()
        self.count = 0

    def offer(
        self, version: str, bundle: bytes, sha256: str = "", size: int | None = None, url: str = ""
    ) -> None:
        """Offer it as the kubelet would: all files are swapped at once."""
        url = url or f"{self.source.url}/{version}.tar.gz"
        files = {"version": version, "sha256": sha256 or digest(bundle), "url": url}
        files |= {} if size is None else {"size": str(size)}
        self.count += 1
        directory = self.offers / f"..{self.count}"
        directory.mkdir()
        for name, text in files.items():
            (directory / name).write_text(text)
            link = self.offers / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        (self.offers / "..new").symlink_to(directory.name)
        (self.offers / "..new").rename(self.offers / "..data")

    def publish(self, version: str, bundle: bytes) -> None:
        """Offer what the source has."""
        self.source.bundles[f"/{version}.tar.gz"] = bundle
        self.offer(version, bundle, size=len(bundle))

    def start(
        self, interval: int = 60, instead_of: str = "", run: str = ""
    ) -> subprocess.Popen[str]:
        command = program(
            *("fetch-plugin", "plugin-fetcher", self.offers, self.plugins, ENTRY, MOST, interval)
        )
        # Another folder in place of the container's own.
        command[4] = command[4].replace("/tmp/", f"{self.tmp}/")
        if instead_of:
            assert instead_of in command[4]
            command[4] = command[4].replace(instead_of, run)
        return self.host.run(*command)

    @property
    def status(self) -> str:
        file = self.plugins / "status"
        return file.read_text() if file.exists() else ""

    def reaches(self, status: str, seconds: float = 8) -> None:
        """Wait until the status begins so."""
        try:
            wait_for(lambda: self.status.startswith(status), seconds)
        except AssertionError:
            raise AssertionError(f"{self.status!r} does not begin with {status!r}") from None

    def runs(self) -> str:
        """What the current plug-in prints."""
        directory = (self.plugins / "current").resolve(strict=True)
        return subprocess.run(
            ["sh", ENTRY], cwd=directory, capture_output=True, text=True, check=True
        ).stdout

    @property
    def bundles(self) -> set[str]:
        """All in the volume but the link and the status."""
        return {item.name for item in self.plugins.iterdir()} - {"current", "status"}


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.stop()


@pytest.fixture
def fetcher(host: Shell, tmp_path: Path, source: Source) -> Fetcher:
    return Fetcher(host, tmp_path / "pod", source)


@pytest.fixture(autouse=True)
def pod(tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()


def packed(*members: tuple[str, str, str]) -> bytes:
    """A bundle of members, given as name, type and what it links to or has in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, kind, text in [(ENTRY, "file", "echo plug-in"), *members]:
            member = tarfile.TarInfo(name)
            if kind == "file":
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
                continue
            member.type = {
                "symlink": tarfile.SYMTYPE,
                "link": tarfile.LNKTYPE,
                "fifo": tarfile.FIFOTYPE,
                "directory": tarfile.DIRTYPE,
            }[kind]
            member.linkname = text
            archive.addfile(member)
    return buffer.getvalue()


def test_what_is_offered_is_current_and_the_status_says_so(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start()
    fetcher.reaches(f"using 1.0.0, sha256 {digest(ONE)}\n")
    assert fetcher.runs() == "Plug-in greeter 1.0.0: Hello\n"
    assert fetcher.bundles == {digest(ONE)}
    assert log_of(process) == fetcher.status


def test_a_new_offer_is_taken_at_once_and_the_bundle_before_is_kept(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    for version, bundle, kept in (("2.0.0", TWO, ONE), ("3.0.0", THREE, TWO)):
        fetcher.publish(version, bundle)
        fetcher.reaches(f"using {version}", 2)
        assert version in fetcher.runs()
        wait_for(lambda bundle=bundle, kept=kept: fetcher.bundles == {digest(bundle), digest(kept)})


def test_going_back_to_the_bundle_before_asks_nobody(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    fetcher.publish("2.0.0", TWO)
    fetcher.reaches("using 2.0.0")
    fetcher.source.stop()
    fetcher.publish("1.0.0", ONE)
    fetcher.reaches("using 1.0.0", 2)


def test_a_fetcher_that_starts_again_goes_on_with_what_is_there(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start()
    fetcher.reaches("using 1.0.0")
    ends_within_a_second(process)
    fetcher.start()
    fetcher.publish("2.0.0", TWO)
    fetcher.reaches("using 2.0.0")
    assert fetcher.source.asked == ["/1.0.0.tar.gz", "/2.0.0.tar.gz"]


def test_a_wrong_digest_at_the_start_leaves_nothing_to_run(fetcher: Fetcher) -> None:
    fetcher.source.bundles["/1.0.0.tar.gz"] = ONE
    fetcher.offer("1.0.0", ONE, sha256="0" * 64)
    fetcher.start()
    fetcher.reaches(f"refused 1.0.0: sha256 is {digest(ONE)}, wanted {'0' * 64}; trying again in 1")
    assert fetcher.bundles == set()
    assert not (fetcher.plugins / "current").exists()


def test_a_wrong_digest_later_leaves_the_plug_in_that_runs(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    fetcher.source.bundles["/2.0.0.tar.gz"] = TWO
    fetcher.offer("2.0.0", TWO, sha256=digest(THREE))
    fetcher.reaches(f"refused 2.0.0, 1.0.0 stays: sha256 is {digest(TWO)}, wanted {digest(THREE)};")
    assert fetcher.runs() == "Plug-in greeter 1.0.0: Hello\n"
    assert fetcher.bundles == {digest(ONE)}


@pytest.mark.parametrize("sha256", ["", ".", "../pod", "current", "A" * 64, "0" * 63, "0" * 65])
def test_what_is_no_digest_is_no_directory(fetcher: Fetcher, sha256: str) -> None:
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    fetcher.offer("2.0.0", TWO, sha256=sha256 or " ")
    fetcher.reaches(f"refused 2.0.0, 1.0.0 stays: '{sha256}' is no sha256;")
    assert fetcher.runs() == "Plug-in greeter 1.0.0: Hello\n"


def test_a_bundle_cut_off_at_its_source_is_said_to_be_truncated(fetcher: Fetcher) -> None:
    fetcher.source.bundles["/1.0.0.tar.gz"] = ONE[:100]
    fetcher.offer("1.0.0", ONE, size=len(ONE))
    fetcher.start()
    fetcher.reaches(f"refused 1.0.0: truncated, 100 of {len(ONE)} bytes: sha256 is ")
    assert fetcher.bundles == set()


def test_a_bundle_cut_off_on_its_way_is_fetched_again(fetcher: Fetcher) -> None:
    fetcher.source.answer = cut
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches(
        f"cannot fetch 1.0.0: transfer closed with {len(ONE) - 100} bytes remaining to read;"
    )
    fetcher.source.answer = whole
    fetcher.reaches("using 1.0.0")


def test_an_archive_cut_off_before_its_digest_was_taken_is_refused(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", packed(("large", "file", "x" * 50_000))[:-20])
    fetcher.start()
    fetcher.reaches("refused 1.0.0: ")
    assert re.search("tar: .*; trying again in", fetcher.status)
    wait_for(lambda: not (fetcher.plugins / "current").exists())


@pytest.mark.parametrize(
    "member",
    [
        ("/{}/evil", "file", "x"),
        ("../../evil", "file", "x"),
        ("a/../../../evil", "file", "x"),
        ("link", "symlink", "{}"),
        ("link", "symlink", "../.."),
        ("link", "link", "/etc/passwd"),
        ("link", "link", ENTRY),
        ("pipe", "fifo", ""),
    ],
)
def test_an_archive_with_more_than_files_of_its_own_is_refused(
    fetcher: Fetcher, member: tuple[str, str, str]
) -> None:
    name, kind, text = (part.format(fetcher.folder) for part in member)
    fetcher.publish("1.0.0", packed((name, kind, text)))
    fetcher.start()
    fetcher.reaches("refused 1.0.0: it has more than files and directories of its own: ")
    assert not (fetcher.plugins / "current").exists()
    assert not list(fetcher.folder.rglob("*evil*"))


def test_directories_and_odd_names_are_no_harm(fetcher: Fetcher) -> None:
    members = [("sub", "directory", ""), ("sub/-e a;$(b) ..c", "file", "x"), ("..d", "file", "x")]
    fetcher.publish("1.0.0", packed(*members))
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    current = fetcher.plugins / "current"
    assert (current / "sub" / "-e a;$(b) ..c").exists()


def test_a_bundle_without_an_entry_is_refused(fetcher: Fetcher) -> None:
    with io.BytesIO() as buffer:
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("readme"))
        fetcher.publish("1.0.0", buffer.getvalue())
    fetcher.start()
    fetcher.reaches(f"refused 1.0.0: it has no {ENTRY};")


def test_what_is_no_archive_is_refused(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", gzip.compress(b"no archive" * 100))
    fetcher.start()
    fetcher.reaches("refused 1.0.0: ")


def test_a_source_that_sends_without_end_is_cut_off(fetcher: Fetcher) -> None:
    fetcher.source.answer = endless
    fetcher.source.bundles["/1.0.0.tar.gz"] = ONE
    fetcher.offer("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches(f"cannot fetch 1.0.0: it has more than {MOST} bytes;")
    assert (fetcher.tmp / "bundle").stat().st_size <= MOST


def test_of_a_bundle_that_is_longer_than_it_should_be_no_more_is_fetched(fetcher: Fetcher) -> None:
    fetcher.source.bundles["/1.0.0.tar.gz"] = ONE * 3
    fetcher.offer("1.0.0", ONE, size=len(ONE))
    fetcher.start()
    fetcher.reaches(f"cannot fetch 1.0.0: it has more than {len(ONE)} bytes;")


def test_a_source_that_is_away_is_asked_at_growing_intervals(fetcher: Fetcher) -> None:
    times: list[float] = []

    def away(request: BaseHTTPRequestHandler, _bundle: bytes) -> None:
        times.append(time.monotonic())
        request.send_error(503)

    fetcher.source.answer = away
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start(interval=2)
    wait_for(lambda: len(times) == 4, 8)
    assert [round(after - before - 0.3) for before, after in pairwise(times)] == [1, 2, 2]
    # What it would say again it says once.
    pauses = re.findall(r"cannot fetch 1.0.0: .* 503; trying again in (\d)", log_of(process))
    assert pauses == ["1", "2"]


def test_a_new_offer_ends_a_pause(fetcher: Fetcher) -> None:
    fetcher.offer("1.0.0", ONE)
    process = fetcher.start()
    wait_for(lambda: "trying again in 4 s" in log_of(process))
    fetcher.publish("2.0.0", TWO)
    fetcher.reaches("using 2.0.0", 2)
    fetcher.offer("3.0.0", THREE)
    fetcher.reaches("cannot fetch 3.0.0, 2.0.0 stays: ", 2)
    assert fetcher.status.endswith("trying again in 1 s\n")


OTHERWISE = "its URL is neither http nor https"
INVALID = "its URL is not valid"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", OTHERWISE),
        ("ftp://127.0.0.1:9/it", OTHERWISE),
        ("-o/etc/passwd", OTHERWISE),
        ("http:///etc/passwd", OTHERWISE),
        ("http://127.0.0.1:99999/it", INVALID),
        ("http://[2001:db8::/it", INVALID),
        ("http://127.0.0.1:9/{a,b}", "no connection to 127.0.0.1 port 9: Connection refused"),
    ],
)
def test_only_http_and_nothing_but_a_url_is_fetched(
    fetcher: Fetcher, url: str, reason: str
) -> None:
    fetcher.offer("1.0.0", ONE, url=url)
    fetcher.start()
    fetcher.reaches(f"cannot fetch 1.0.0: {reason};")


def test_a_run_has_the_files_of_one_bundle_whenever_it_looks(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    fetcher.start()
    fetcher.reaches("using 1.0.0")
    fetcher.publish("2.0.0", TWO)
    fetcher.reaches("using 2.0.0")
    _, *command = script("run-plugin", "main-app", fetcher.plugins / "current", ENTRY, "0")
    app = fetcher.host.run("sh", *command)
    for number in range(20):
        # Both are in the volume: a switch takes no longer than a rename.
        version, bundle = [("1.0.0", ONE), ("2.0.0", TWO)][number % 2]
        fetcher.publish(version, bundle)
        fetcher.reaches(f"using {version}", 3)
        time.sleep(0.05)
    ends_within_a_second(app)
    lines = log_of(app).splitlines()
    assert set(lines) == {f"Plug-in greeter {number}.0.0: Hello" for number in (1, 2)}
    assert len(lines) > 50


def test_an_app_waits_for_its_first_plug_in_and_says_how_one_fails(
    shell: Shell, tmp_path: Path
) -> None:
    _, *command = script("run-plugin", "main-app", tmp_path / "current", ENTRY, "0.1")
    app = shell.run("sh", *command)
    time.sleep(0.5)
    assert log_of(app) == ""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / ENTRY).write_text("exit 3")
    (tmp_path / "current").symlink_to("one")
    wait_for(lambda: "The plug-in has ended with exit code 3" in log_of(app))
    ends_within_a_second(app)


def test_a_fetcher_ends_at_once_while_it_looks_up_a_name(fetcher: Fetcher) -> None:
    """A lookup that nobody answers takes long, and hears no signal."""
    fetcher.offer("1.0.0", ONE, url="http://example.org/it")
    connect = "made.append(socket.create_connection((host, port), ADDRESS))"
    process = fetcher.start(60, connect, "say('hangs'), time.sleep(60)")
    wait_for(lambda: "hangs" in log_of(process))
    time.sleep(0.2)
    ends_within_a_second(process)


def test_a_fetcher_ends_at_once_even_while_it_waits_for_an_answer(fetcher: Fetcher) -> None:
    waiting = threading.Event()

    def silent(_request: BaseHTTPRequestHandler, _bundle: bytes) -> None:
        waiting.set()
        time.sleep(5)

    fetcher.source.answer = silent
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start()
    assert waiting.wait(5)
    ends_within_a_second(process)


def test_a_fetcher_that_waits_is_one_process_and_takes_no_time(fetcher: Fetcher) -> None:
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start()
    fetcher.reaches("using 1.0.0")
    time.sleep(0.2)

    def turns() -> list[str]:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return [line for line in status.splitlines() if "ctxt_switches" in line or "Thr" in line]

    before = turns()
    time.sleep(1)
    assert turns() == before
    assert "Threads:\t1" in before


@pytest.mark.parametrize("where", ["current.new", ".part"])
def test_what_is_in_the_way_ends_no_fetcher(fetcher: Fetcher, where: str) -> None:
    """A directory, or for a directory a file, stands for whatever can't be written."""
    hindrance = fetcher.plugins / where
    hindrance.touch() if where == ".part" else hindrance.mkdir()
    fetcher.publish("1.0.0", ONE)
    process = fetcher.start(interval=1)
    wait_for(lambda: where.removesuffix(".new") in log_of(process))
    assert process.poll() is None
    hindrance.unlink() if where == ".part" else hindrance.rmdir()
    fetcher.publish("2.0.0", TWO)
    fetcher.reaches("using 2.0.0")


@pytest.mark.parametrize("size", ["many", "-1", "1 2", "9" * 5000])
def test_what_is_no_size_is_refused(fetcher: Fetcher, size: str) -> None:
    fetcher.publish("1.0.0", ONE)
    (fetcher.offers / "..data" / "size").write_text(size)
    fetcher.start()
    fetcher.reaches(f"refused 1.0.0: '{size}' is no size;")
