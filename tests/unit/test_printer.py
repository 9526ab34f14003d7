"""Who prints and is killed at any moment has printed each record once."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

from components.log_processing import MASKED_KEYS, names_pattern
from components.programs.printer import PAGE, Printer
from components.programs.process_log import LogProcessor
from components.programs.processes import status
from tests.unit.shell import wait_for
from tools.paths import ROOT

NAMES = names_pattern(MASKED_KEYS)


class KilledError(BaseException):
    """Where a kill would be."""


class Output:
    """Standard output as a pipe that nobody reads until it is asked for.

    Not a fixture: pytest puts a file there again before it calls the test.
    """

    def __enter__(self) -> Self:
        self.reader, writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.stdout = os.dup(1)
        os.dup2(writer, 1)
        os.close(writer)
        return self

    def take(self) -> bytes:
        taken = b""
        while True:
            try:
                taken += os.read(self.reader, 1 << 20)
            except BlockingIOError:
                return taken

    def __exit__(self, *_: object) -> None:
        os.dup2(self.stdout, 1)
        os.close(self.stdout)
        os.close(self.reader)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory in memory, as the sidecar's volume is."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def put(printer: Printer, data: bytes) -> None:
    printer.ready(data)
    while data:
        data = data[printer.print(data) :]


def test_it_says_whether_it_has_printed(folder: Path) -> None:
    file = folder / "last"
    assert not Printer(file).had_printed()
    with Output() as output:
        printer = Printer(file)
        for data in (b"one\n", b"two\n"):
            printer.ready(data)
            assert not Printer(file).had_printed()
            assert output.take() == b""
            assert printer.print(data) == len(data)
            assert Printer(file).had_printed()
            assert output.take() == data


def test_a_file_that_was_just_made_says_it_has_not(folder: Path) -> None:
    (folder / "last").touch()
    assert not Printer(folder / "last").had_printed()


def test_what_was_printed_before_stays_as_it_was_until_somebody_reads(folder: Path) -> None:
    sizes = [5, PAGE - 1, PAGE, PAGE + 1, 3, 2 * PAGE, 1, PAGE // 2]
    records = [bytes([97 + number]) * size for number, size in enumerate(sizes)]
    with Output() as output:
        printer = Printer(folder / "last")
        for data in records:
            put(printer, data)
        assert output.take() == b"".join(records)


@pytest.mark.parametrize("size", [10, PAGE, PAGE + 1, 3 * PAGE])
def test_who_is_killed_while_the_pipe_is_full_has_not_printed(folder: Path, size: int) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    while True:
        try:
            filled += os.write(writer, b"x" * PAGE)
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    code = (
        "import sys; from pathlib import Path; from components.programs.printer import Printer\n"
        f"printer, data = Printer(Path({str(folder)!r}) / 'last'), b'y' * {size}\n"
        "printer.ready(data); print('ready', file=sys.stderr, flush=True)\n"
        "while data: data = data[printer.print(data):]\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    wait_for(lambda: status(process.pid, "State").startswith("S"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    os.close(writer)
    taken = b""
    while data := os.read(reader, 1 << 20):
        taken += data
    os.close(reader)
    assert taken == b"x" * filled
    assert (folder / "last").stat().st_size == min(size, PAGE)
    assert not Printer(folder / "last").had_printed()


class Cut:
    """Ends the program before or after the nth of its steps that others can see."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.at, self.after, self.steps = at, after, 0
        for name in ("ftruncate", "pwrite", "utime", "splice", "write"):
            patch.setattr(os, name, self.of(getattr(os, name)))

    def of(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            self.steps += 1
            if self.steps != self.at:
                return step(*args, **options)
            if self.after:
                step(*args, **options)
            raise KilledError

        return run


LINES = [
    *(f"line {number}" for number in range(60)),
    # More than a page each, in more steps than one.
    *("a" * 5000, "short", "b" * 9000, "shorter"),
    *(f"line {number}" for number in range(60, 120)),
]


def follow(folder: Path) -> None:
    """What an instance of the sidecar does, or what is left of it to be done."""
    log = folder / "app.log"
    LogProcessor(log, folder, folder, 1 << 20, 0, NAMES, "nobody").follow(log)


def cut(folder: Path, at: int, after: bool, output: Output) -> tuple[bytes, bytes, bool]:
    """What two instances print, and whether the first was cut short."""
    with pytest.MonkeyPatch.context() as patch:
        cut = Cut(patch, at, after)
        with suppress(KilledError):
            follow(folder)
    first = output.take()
    if cut.steps >= at:
        follow(folder)
    return first, output.take(), cut.steps >= at


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_step_neither_loses_a_line_nor_doubles_one(folder: Path, after: bool) -> None:
    (folder / "app.log").write_text("".join(f"{line}\n" for line in LINES))
    was_cut, at, parts = True, 0, 0
    with Output() as output:
        while was_cut:
            at += 1
            for name in ("position", "last"):
                (folder / name).unlink(missing_ok=True)
            first, second, was_cut = cut(folder, at, after, output)
            # Each has a log of its own, and one may end with a part of a line.
            *whole, part = first.split(b"\n")
            assert len(part) == 0 or len(part) >= 900
            parts += len(part) > 0
            printed = [json.loads(line) for line in [*whole, *second.split(b"\n")] if line]
            assert [record["message"] for record in printed] == LINES
    assert at > 30
    assert parts > 0
