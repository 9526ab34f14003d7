"""How programs of containers end, and how they write what others read."""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType


def end_when_told() -> None:
    """TERM and INT end the program well: a container's first process ignores them otherwise."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    heed_term()


def heed_term() -> None:
    """Get TERM from now on, and what has come before: programs begin with it blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def say(text: str) -> None:
    """A line of the log, at once: a pipe would keep it for later."""
    print(text, flush=True)


def publish(file: Path, text: str) -> bool:
    """Put the text there: a reader sees the old one or the new one and never a part, since a
    rename within one directory is atomic. False, and said, if that can't be done.
    """
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_text(text)
        new.replace(file)
    except OSError as error:
        print(f"cannot publish {file}: {error.strerror}", file=sys.stderr, flush=True)
        return False
    return True


def text_of(file: Path) -> str:
    """What the file has, nothing if it is not there or can't be read."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def uptime() -> float:
    """Seconds since the machine's start: nobody sets that clock, and all containers share it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Report:
    """Says how things are, in the log and in a file, once each time that it changes."""

    def __init__(self, file: Path) -> None:
        self._file, self._said, self._published = file, "", ""

    def __call__(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(text)
        # What could not be published is tried again.
        if text != self._published and publish(self._file, f"{text}\n"):
            self._published = text


def drop(file: Path) -> None:
    """Remove the file, whether or not it is there."""
    file.unlink(missing_ok=True)


def user() -> str:
    """User and group of this program, such as 65532:65532."""
    return f"{os.getuid()}:{os.getgid()}"
