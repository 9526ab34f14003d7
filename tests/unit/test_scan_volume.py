"""What a scan finds, what it does not, and what a publication may do meanwhile."""

import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.parts import program
from components.programs import scan
from components.programs.scan import Seen, State, judge, look_at, wanted
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

FILES = {"app.conf": "greeting = Hello\n", "index.html": "<h1>Hello</h1>\n"}
OTHER = {"app.conf": "greeting = Good day\n", "new.html": "<h1>New</h1>\n"}


class Pod:
    """The programs, and the directories that they have in a pod."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell = shell
        self.source, self.content, self.baseline, self.verdict = (
            folder / name for name in ("source", "content", "baseline", "verdict")
        )
        self.tmp = folder / "tmp"
        for directory in (self.source, self.content, self.baseline, self.verdict, self.tmp):
            directory.mkdir(parents=True)
        self.count = 0
        self.scanner: subprocess.Popen[str]

    def offer(self, files: dict[str, str]) -> None:
        """Mount another ConfigMap as the kubelet would: all files are swapped at once."""
        self.count += 1
        directory = self.source / f"..version-{self.count}"
        directory.mkdir()
        for name, text in files.items():
            (directory / name).write_text(text)
            link = self.source / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        (self.source / "..data_tmp").symlink_to(directory.name)
        before = (self.source / "..data").resolve()
        (self.source / "..data_tmp").rename(self.source / "..data")
        for name in [it.name for it in self.source.iterdir() if it.name[:2] != ".."]:
            if name not in files:
                (self.source / name).unlink()
        if self.count > 1:
            for file in before.iterdir():
                file.unlink()
            before.rmdir()

    def publish(
        self, change: Callable[[str], str] = str, wait: bool = True
    ) -> subprocess.Popen[str]:
        version = self.verdict / "version"
        command = program("publish-files", "publisher", self.source, self.content, version, 3600)
        # Another folder in place of the container's own.
        command[4] = change(command[4].replace('"/tmp/', f'"{self.tmp}/'))
        process = self.shell.run(*command)
        if wait:
            self.published()
        return process

    def published(self) -> None:
        version = (self.source / "..data").readlink().name
        done = self.tmp / "done"
        wait_for(lambda: done.exists() and done.read_text().strip() == version, 10)

    def scan(self, interval: float = 0.1, patience: float = 120) -> subprocess.Popen[str]:
        places = (self.source, self.content, self.baseline, self.verdict, self.tmp / "done")
        command = program("scan-volume", "scanner", *places, interval)
        command[4] = command[4].replace("PATIENCE = 120", f"PATIENCE = {patience}")
        process = self.shell.run(*command)
        self.scanner = process
        wait_for((self.verdict / "status").exists)
        return process

    def scan_anew(self, interval: float = 0.1, patience: float = 120) -> None:
        """Have another scanner in place of the one that runs, as if it had been killed."""
        self.scanner.kill()
        self.scanner.wait()
        self.scan(interval, patience)

    def end_publisher(self) -> None:
        for process in self.shell.started:
            if process is not self.scanner:
                process.kill()
                process.wait()

    @property
    def log(self) -> str:
        """What the scanner has said."""
        return log_of(self.scanner)

    @property
    def status(self) -> str:
        return (self.verdict / "status").read_text().strip()

    @property
    def findings(self) -> list[str]:
        return (self.verdict / "findings").read_text().splitlines()

    def scanned(self) -> int:
        return (self.verdict / "status").stat().st_mtime_ns

    def seen(self) -> list[str]:
        """What is found by two scans that begin from now on."""
        for _ in range(2):
            before = self.scanned()
            wait_for(lambda before=before: self.scanned() != before, 10)
        return self.findings


@pytest.fixture
def pod(host: Shell, tmp_path: Path) -> Pod:
    pod = Pod(host, tmp_path / "pod")
    pod.offer(FILES)
    return pod


@pytest.fixture
def clean(pod: Pod) -> Pod:
    """Files that are published, and a scanner that has found nothing."""
    pod.scan()
    pod.publish()
    wait_for(lambda: pod.status.startswith("clean"))
    return pod


def test_what_is_published_is_clean(pod: Pod) -> None:
    pod.scan()
    pod.publish()
    assert pod.seen() == []
    assert pod.status == "clean: all files as published"
    assert pod.log.splitlines()[-1] == "clean: all files as published"
    assert told(pod) == []
    for name, text in FILES.items():
        assert (pod.content / name).read_text() == text
        assert stat.S_IMODE((pod.content / name).stat().st_mode) == 0o644


def write(text: str) -> Callable[[Path], object]:
    """Put it into the page in one step: a scan may come at any moment."""

    def change(content: Path) -> None:
        new = content.parent / "beside"
        new.write_text(text)
        new.rename(content / "index.html")

    return change


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(content: Path) -> None:
        (content / "index.html").unlink()
        make(content / "index.html")

    return change


def bound(path: Path) -> None:
    # The name of a socket must be short.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


def hidden(content: Path) -> None:
    (content / "d").mkdir()
    (content / "d" / "...").write_text("x")


ME = f"{os.getuid()}:{os.getgid()}"
RIGHT = f"file 644 {ME} 15 bytes [0-9a-f]{{12}}"
CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "an addition": (
        lambda content: (content / "x.php").write_text("abc"),
        [f"added x.php: found file 644 {ME} 3 bytes, allowed nothing"],
    ),
    "a removal": (
        lambda content: (content / "index.html").unlink(),
        [f"removed index.html: found nothing, allowed {RIGHT}"],
    ),
    "other text": (
        write("x"),
        [f"changed index.html, content: found file 644 {ME} 1 bytes, allowed {RIGHT}"],
    ),
    "other text of the same size": (
        write("<h1>hello</h1>\n"),
        [f"changed index.html, content: found {RIGHT}, allowed {RIGHT}"],
    ),
    "a mode": (
        lambda content: (content / "index.html").chmod(0o777),
        [f"changed index.html, mode: found file 777 .*, allowed {RIGHT}"],
    ),
    "a setuid bit": (
        lambda content: (content / "index.html").chmod(0o4755),
        [f"changed index.html, mode: found file 4755 .*, allowed {RIGHT}"],
    ),
    "an owner": (
        lambda content: os.chown(content / "index.html", 12345, 54321),
        [f"changed index.html, owner: found file 644 12345:54321 .*, allowed {RIGHT}"],
    ),
    "a hard link": (
        lambda content: (content / "twin").hardlink_to(content / "index.html"),
        [
            f"added twin: found file 644 {ME} 2 links 15 bytes, allowed nothing",
            f"changed index.html, links: found file 644 {ME} 2 links .*, allowed {RIGHT}",
        ],
    ),
    "a symbolic link": (
        replaced_by(lambda path: path.symlink_to("app.conf")),
        [f"changed index.html, kind: found link 777 {ME}, allowed {RIGHT}"],
    ),
    "a directory": (
        lambda content: (content / "d").mkdir(0o755),
        [f"added d: found directory 755 {ME}, allowed nothing"],
    ),
    "a directory in place of a file": (
        replaced_by(lambda path: path.mkdir(0o755)),
        [f"changed index.html, kind: found directory 755 {ME}, allowed {RIGHT}"],
    ),
    "a pipe that nobody writes to": (
        replaced_by(lambda path: os.mkfifo(path, 0o644)),
        [f"changed index.html, kind: found fifo 644 {ME}, allowed {RIGHT}"],
    ),
    "a socket": (
        lambda content: bound(content / "s"),
        [f"added s: found socket 755 {ME}, allowed nothing"],
    ),
    "a device": (
        lambda content: os.mknod(content / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3)),
        [f"added null: found character 6.. {ME}, allowed nothing"],
    ),
    "what is hidden and deep": (
        hidden,
        [
            f"added d/...: found file 644 {ME} 1 bytes, allowed nothing",
            f"added d: found directory 755 {ME}, allowed nothing",
        ],
    ),
    "a file called as those of a publication": (
        lambda content: (content / "..new").write_text("x"),
        [f"added ..new: found file 644 {ME} 1 bytes, allowed nothing"],
    ),
    "two at once": (
        lambda content: [(content / "a").mkdir(0o755), (content / "app.conf").unlink()],
        [f"added a: found directory 755 {ME}, allowed nothing", "removed app.conf: .*"],
    ),
}


def told(pod: Pod) -> list[str]:
    """What the scanner has said of findings."""
    words = ("added", "changed", "removed", "odd", "more", "not", "over:")
    return [line for line in pod.log.splitlines() if line.partition(" ")[0] in words]


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_found_and_told_once(clean: Pod, what: str) -> None:
    change, expected = CHANGES[what]
    change(clean.content)
    found = clean.seen()
    assert len(found) == len(expected), found
    for line, pattern in zip(found, expected, strict=True):
        assert re.fullmatch(pattern, line), line
    clean.seen()
    # A scan may have come between two steps, and have told of that too.
    assert [told(clean).count(line) for line in found] == [1] * len(found)
    assert clean.status == f"violated: {len(found)} findings"


def test_what_ends_is_said_and_what_returns_is_told_again(clean: Pod) -> None:
    planted = clean.content / "x"
    for _ in range(2):
        planted.touch()
        assert len(clean.seen()) == 1
        planted.unlink()
        assert clean.seen() == []
    line = f"added x: found file 644 {ME} 0 bytes, allowed nothing"
    assert told(clean) == [line, f"over: {line}"] * 2
    assert clean.log.splitlines()[-1] == clean.status == "clean: all files as published"


def test_another_change_of_the_same_file_is_another_finding(clean: Pod) -> None:
    write("one")(clean.content)
    first = clean.seen()
    write("three")(clean.content)
    second = clean.seen()
    assert first != second
    said = told(clean)
    assert [said.count(line) for line in (*first, *second, f"over: {first[0]}")] == [1] * 3


ODD = [
    "a\nadded index.html: found nothing, allowed nothing",
    "with space",
    "back\\slash",
    "bar|64|4",
    "-rf;$(touch x)`",
    "\udcff\udcfe\nremoved",
    "\x1b[2J",
]


@pytest.mark.parametrize("name", ODD)
def test_a_name_forges_no_line_and_is_a_finding_of_its_own(clean: Pod, name: str) -> None:
    (clean.content / name).touch()
    (line,) = clean.seen()
    assert re.fullmatch(
        r"odd name [A-Za-z0-9._/?-]+: found other characters than A-Z a-z 0-9 \. _ -,"
        " allowed nothing",
        line,
    )
    assert told(clean) == [line]
    assert not (clean.content / "x").exists()


def test_what_is_in_a_directory_with_an_odd_name_is_found_too(clean: Pod) -> None:
    (clean.content / "a b").mkdir()
    (clean.content / "a b" / "c").touch()
    assert sorted(line.partition(":")[0] for line in clean.seen()) == [
        "odd name a?b",
        "odd name a?b/c",
    ]


def test_thousands_of_files_hide_no_change_and_flood_no_log(clean: Pod) -> None:
    for number in range(5000):
        (clean.content / f"{'long-name-' * 4}{number}").touch()
    write("x")(clean.content)
    (clean.content / "app.conf").unlink()
    # Looking at so many takes its time on a busy machine.
    wait_for(lambda: "more than these 100" in clean.findings, 30)
    found = clean.seen()
    assert len(found) == 101
    assert {line.partition(" ")[0] for line in found} >= {"changed", "removed"}
    assert len(told(clean)) < 1000
    write("<h1>Hello</h1>\n")(clean.content)
    kinds = {line.partition(" ")[0] for line in clean.seen()}
    assert "removed" in kinds
    assert "changed" not in kinds


def test_a_file_of_a_terabyte_is_not_read(clean: Pod) -> None:
    for name in ("index.html", "added"):
        with (clean.content / name).open("wb") as file:
            file.truncate(1 << 40)
    found = clean.seen()
    assert [line.partition(":")[0] for line in found] == [
        "added added",
        "changed index.html, content",
    ]
    started = time.monotonic()
    clean.seen()
    assert time.monotonic() - started < 4


def test_a_file_that_always_changes_keeps_no_scan_from_its_end(clean: Pod) -> None:
    until = time.monotonic() + 3
    write("<h1>hello</h1>\n")(clean.content)
    file = clean.content / "index.html"

    def change() -> None:
        while time.monotonic() < until:
            os.truncate(file, 15)
            os.truncate(file, 1 << 40)

    with ThreadPoolExecutor() as threads:
        changing = threads.submit(change)
        (line,) = clean.seen()
        assert time.monotonic() < until
        changing.result()
    assert line.startswith("changed index.html, content: ")


def test_a_file_whose_holder_lets_nobody_open_it_is_found_and_not_waited_for(clean: Pod) -> None:
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    held = os.open(clean.content / "index.html", os.O_RDWR)
    try:
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        started = time.monotonic()
        (line,) = clean.seen()
        assert time.monotonic() - started < 4
    finally:
        os.close(held)
        signal.signal(signal.SIGIO, before)
    assert re.fullmatch(
        f"changed index.html, content: found file 644 {ME} 15 bytes, allowed {RIGHT}", line
    )


def deep(directory: Path, levels: int = 5000) -> None:
    """A directory in a directory and so on: no path leads to the last one, it is too long."""
    directory.mkdir()
    inner = os.open(directory, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=inner)
        outer, inner = inner, os.open("d", os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)


@pytest.fixture
def removed(tmp_path: Path) -> Iterator[None]:
    """What is too deep for others to remove is removed."""
    yield
    subprocess.run(["rm", "-rf", tmp_path / "pod"], check=True)


@pytest.mark.usefixtures("removed")
def test_a_tree_of_any_depth_is_found_and_hides_no_change(clean: Pod) -> None:
    deep(clean.content / "tree")
    write("x")(clean.content)
    found = clean.seen()
    assert len(found) == 101
    assert {line.partition(" ")[0] for line in found} == {"added", "changed", "not", "more"}
    assert "added tree/d/d/d" in "\n".join(found)


def test_a_path_that_is_too_long_for_a_call_is_seen_to_its_end(tmp_path: Path) -> None:
    inner = os.open(tmp_path, os.O_RDONLY)
    name = "d" * 250
    for _ in range(20):
        os.mkdir(name, dir_fd=inner)
        outer, inner = inner, os.open(name, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    seen = look_at(tmp_path, [])
    assert seen.whole
    assert len(seen.files) == 20


def test_what_is_more_than_a_look_has_room_or_time_for_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcdefgh":
        (tmp_path / name).touch()
    files = wanted({"c": b"", "gone": b""}, ME)
    (tmp_path / "c").chmod(0o644)
    for limit, value in (("NAMES", 6), ("SECONDS", -1)):
        with monkeypatch.context() as patch:
            patch.setattr(scan, limit, value)
            seen = look_at(tmp_path, [files])
        assert not seen.whole
        assert seen.files["c"] == files["c"], "looked at whatever else there is"
        assert len(seen.files) <= 4
        found = judge(seen, files, []).findings
        assert [line.partition(":")[0] for line in found][-2:] == ["not all seen", "removed gone"]
    assert look_at(tmp_path, [files]).whole


def test_what_cannot_be_listed_is_said() -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        top.chmod(0o755)
        (top / "shut").mkdir(0o700)
        (top / "shut" / "in").touch()
        before = os.geteuid()
        if before:
            (top / "shut").chmod(0)
        else:
            os.seteuid(65534)
        try:
            seen = look_at(top, [])
        finally:
            os.seteuid(before)
            (top / "shut").chmod(0o700)
    assert list(seen.files) == ["shut"]
    assert not seen.whole


ONE, TWO = (wanted({"one": text, "both": b""}, ME) for text in (b"1", b"2"))


@pytest.mark.parametrize(
    ("name", "state", "publishing", "pending", "found"),
    [
        ("one", ONE["one"], "one", True, False),
        ("one", TWO["one"], "", False, False),
        ("one", ONE["one"], "", False, True),
        ("one", ONE["one"]._replace(mode="666"), "one", True, True),
        ("..new", State("file", "644", ME, 1, 0), "one", True, False),
        ("..new", State("file", "644", ME, 1, 1), "one", True, False),
        # It was about to be renamed when it was looked at.
        ("..new", State("file", "644", ME, 0, 1), "one", True, False),
        ("..new", State("file", "644", ME, 1, 1), "", False, True),
        ("..new", State("file", "644", ME, 1, 2), "one", True, True),
        ("..new", State("file", "644", ME, 2, 1), "one", True, True),
        ("..new", State("file", "600", ME, 1, 1), "one", True, True),
        ("..new", State("file", "4755", ME, 1, 1), "one", True, True),
        ("..new", State("file", "644", "12345:54321", 1, 1), "one", True, True),
        ("..new", State("link", "777", ME), "one", True, True),
        ("else", ONE["one"], "one", False, True),
    ],
)
def test_a_publication_allows_what_was_there_and_what_it_makes_and_nothing_else(
    name: str, state: State, publishing: str, pending: bool, found: bool
) -> None:
    seen = Seen({**TWO, name: state}, [], whole=True)
    verdict = judge(seen, TWO, [ONE] if publishing else [])
    assert (name in verdict.pending, bool(verdict.findings)) == (pending, found)


def test_what_all_versions_have_is_never_away() -> None:
    nothing = Seen({}, [], whole=True)
    assert judge(nothing, TWO, [ONE]).findings == [
        f"removed {name}: found nothing, allowed {TWO[name]}" for name in ("both", "one")
    ]
    assert judge(nothing, TWO, [{}, ONE]) == ([], ["both", "one"])


def test_a_baseline_that_was_lost_is_made_anew(clean: Pod) -> None:
    clean.scanner.kill()
    clean.scanner.wait()
    (clean.baseline / "known").write_text("")
    clean.scan()
    assert clean.seen() == []
    assert clean.status.startswith("clean")


def test_a_scanner_that_is_killed_still_knows_what_is_allowed_and_what_is_not(clean: Pod) -> None:
    (clean.content / "x").touch()
    found = clean.seen()
    inode = (clean.verdict / "findings").stat().st_ino
    clean.scan_anew()
    assert clean.seen() == found
    # It says so in its new log, and to the app nothing has changed.
    assert told(clean) == found
    assert (clean.verdict / "findings").stat().st_ino == inode


def test_a_publication_is_no_finding_and_what_it_replaced_is_one_later(clean: Pod) -> None:
    clean.offer(OTHER)
    clean.published()
    wait_for(lambda: clean.status.startswith("clean"))
    assert clean.seen() == told(clean) == []
    assert {item.name for item in clean.content.iterdir()} == {*OTHER}
    (clean.content / "app.conf").write_text(FILES["app.conf"])
    (line,) = clean.seen()
    assert line.startswith("changed app.conf, content: ")


def test_nothing_that_the_app_does_keeps_former_files_allowed(clean: Pod) -> None:
    # One that does not look between the publication and what the app does then.
    clean.scan_anew(3600)
    clean.offer(OTHER)
    clean.published()
    (clean.content / "..new").write_text("x")
    (clean.content / "app.conf").write_text(FILES["app.conf"])
    (clean.content / "index.html").write_text(FILES["index.html"])
    clean.scan_anew()
    assert [line.partition(":")[0] for line in clean.seen()] == [
        "added ..new",
        "added index.html",
        "changed app.conf, content",
    ]
    assert clean.status == "violated: 3 findings"


def test_a_publication_that_never_ends_hides_nothing_for_ever(clean: Pod) -> None:
    clean.end_publisher()
    clean.scan_anew(patience=2)
    clean.offer(OTHER)
    wait_for(lambda: clean.status.startswith("publishing: "))
    (clean.content / "..new").touch()
    assert clean.findings == []
    wait_for(lambda: clean.status.startswith("violated: "))
    found = [line.partition(":")[0] for line in clean.seen()]
    assert found == [
        "added ..new",
        "added index.html",
        "changed app.conf, content",
        "removed new.html",
    ]
    # Whoever looks next gives it no more time, and its end is the end of that.
    clean.scan_anew()
    assert [line.partition(":")[0] for line in clean.seen()] == found
    clean.publish()
    assert clean.seen() == []
    assert clean.status.startswith("clean")


def test_a_later_version_has_its_own_time(clean: Pod) -> None:
    clean.end_publisher()
    clean.scan_anew(patience=3)
    for number in range(4):
        clean.offer({**FILES, "count": f"{number}\n"})
        time.sleep(1)
    assert clean.findings == told(clean) == []
    assert clean.status == "publishing: count to come"


def test_twenty_publications_under_constant_scans_are_no_finding(pod: Pod) -> None:
    pod.scan(0.01)
    pod.publish()
    for number in range(20):
        pod.offer({**(OTHER if number % 2 else FILES), "count": f"{number}\n"})
        time.sleep(0.05 * (number % 5))
    pod.published()
    wait_for(lambda: pod.status.startswith("clean"), 10)
    assert told(pod) == []


def stopping(after: str) -> Callable[[str], str]:
    """Have a program stop where it stands after a line of its own, as if it were killed there."""

    def change(text: str) -> str:
        before, line, rest = text.partition(f"    {after}\n")
        assert line, after
        indent = rest[: len(rest) - len(rest.lstrip(" "))]
        return f"{before}{line}{indent}import signal; signal.raise_signal(signal.SIGSTOP)\n{rest}"

    return change


@pytest.mark.parametrize(
    "after",
    [
        "complete = True",
        'new.rename(f"{new}-{time.time_ns()}")',
        "writing.write(text)",
        "complete = _put(content / name, text) and complete",
        "for name in {*before} - {*texts}:",
    ],
)
def test_a_publisher_that_is_killed_midway_is_no_finding_and_hides_none(
    clean: Pod, after: str
) -> None:
    clean.end_publisher()
    publisher = clean.publish(stopping(after), wait=False)
    clean.offer(OTHER)
    time.sleep(1)
    publisher.kill()
    assert clean.seen() == []
    assert clean.status.startswith("publishing: ")
    # The scan goes on, and so it does in a scanner that starts anew.
    (clean.content / "x").touch()
    assert len(clean.seen()) == 1
    clean.scan_anew()
    (line,) = clean.seen()
    assert line.startswith("added x: ")
    (clean.content / "x").unlink()
    clean.publish()
    assert clean.seen() == []
    assert clean.status.startswith("clean")


def test_nothing_is_published_before_the_scanner_knows_it(pod: Pod) -> None:
    publisher = pod.publish(wait=False)
    said = "waiting for the scanner to know ..version-1\n"
    wait_for(lambda: log_of(publisher) == said)
    time.sleep(1.5)
    assert [*pod.content.iterdir()] == []
    ends_within_a_second(publisher)
    assert log_of(publisher) == said


def test_a_scanner_that_is_ended_before_it_says_what_it_knows_says_it_later(clean: Pod) -> None:
    clean.scanner.kill()
    clean.scanner.wait()
    (clean.verdict / "version").unlink()
    clean.scan()
    wait_for((clean.verdict / "version").exists)
    assert (clean.verdict / "version").read_text() == "..version-1\n"


def test_before_the_first_publication_nothing_is_missing(pod: Pod) -> None:
    pod.scan()
    assert pod.seen() == []
    assert pod.status == "publishing: app.conf index.html to come"
    (pod.content / "x").touch()
    assert len(pod.seen()) == 1


def test_a_first_publication_has_all_the_time(pod: Pod) -> None:
    # There is no app yet.
    pod.scan(patience=-1)
    assert pod.seen() == []
    pod.offer(OTHER)
    assert pod.seen() == []
    assert pod.status == "publishing: app.conf new.html to come"
    pod.publish()
    assert pod.seen() == told(pod) == []
    assert pod.status.startswith("clean")


def test_a_publisher_that_starts_again_repairs_nothing_and_alarms_nobody(clean: Pod) -> None:
    write("x")(clean.content)
    found = clean.seen()
    clean.end_publisher()
    clean.publish()
    assert clean.seen() == told(clean) == found
    clean.offer({**FILES, "more": ""})
    clean.published()
    assert clean.seen() == []


def to_file(content: Path, secret: Path) -> None:
    (content / "..new").symlink_to(secret)


def to_directory(content: Path, secret: Path) -> None:
    (content / "app.conf").unlink()
    (content / "app.conf").symlink_to(secret.parent)


def full(content: Path, _: Path) -> None:
    (content / "..new" / "deep").mkdir(parents=True)


def fathomless(content: Path, _: Path) -> None:
    deep(content / "..new")


@pytest.mark.usefixtures("removed")
@pytest.mark.parametrize("lure", [to_file, to_directory, full, fathomless])
def test_nothing_in_the_volume_leads_the_publisher_elsewhere(
    clean: Pod, tmp_path: Path, lure: Callable[[Path, Path], None]
) -> None:
    secret = tmp_path / "elsewhere" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret")
    lure(clean.content, secret)
    clean.offer(OTHER)
    wait_for((clean.content / "new.html").exists, 10)
    time.sleep(0.5)
    assert secret.read_text() == "secret"
    assert [item.name for item in secret.parent.iterdir()] == ["secret"]


def test_term_ends_all_of_them_within_a_second(pod: Pod) -> None:
    scanner, publisher = pod.scan(60), pod.publish()
    for process in (publisher, scanner):
        ends_within_a_second(process)
