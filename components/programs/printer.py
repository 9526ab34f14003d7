"""Printing such that whoever is killed can be told whether it had printed."""

import os
import stat
from pathlib import Path

PAGE = 4096
"""Bytes that are printed in one step."""


class Printer:
    """Standard output, and a file that says whether what was to be printed last has been.

    What is printed goes through that file. `splice` puts its page into the pipe that standard
    output is, and sets the file's access time: a kill comes before both or after both. That is so
    where the file's system is a tmpfs, mounted as usual; a disk's sets the time even if a kill has
    kept the page back.
    https://man7.org/linux/man-pages/man2/splice.2.html
    """

    def __init__(self, file: Path) -> None:
        self._file, self._descriptor, self._size = file, -1, 0
        self._pipe = stat.S_ISFIFO(os.fstat(1).st_mode)

    def had_printed(self) -> bool:
        """Whether what was made ready last, by whomever, has been printed."""
        try:
            found = self._file.stat()
        except OSError:
            return False
        return found.st_size > 0 and found.st_atime_ns != 0

    def ready(self, data: bytes) -> None:
        """From now on it counts as not printed. Raises OSError if that can't be kept."""
        if self._descriptor < 0:
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # The pipe may still have the page from before, itself and no copy, so there is a new one.
        os.ftruncate(self._descriptor, 0)
        self._size = os.pwrite(self._descriptor, data[-PAGE:], 0)
        os.utime(self._descriptor, ns=(0, 0))

    def print(self, data: bytes) -> int:
        """How many bytes it has printed of what is left of it. Raises OSError if it prints none.

        Of more than a page all but the last is written first. What is no pipe, a terminal or a
        file, gets it all like that, and who is killed then counts as not having printed.
        """
        if self._pipe and len(data) <= self._size:
            begins = self._size - len(data)
            return os.splice(self._descriptor, 1, len(data), offset_src=begins)
        return os.write(1, data[: -self._size] if self._pipe else data)
