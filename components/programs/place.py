"""Where a program is in a row of files, kept over restarts."""

import os
import re
from pathlib import Path

from .basics import text_of


class Place:
    """The number of a file, the position in it, the end of what has been seen of it, and the end of
    what is being printed, if that is beyond the position.

    Kept in a file as one line, always of the same size and so written in one step: who is killed
    leaves the old one or the new one.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._descriptor = file, -1
        self.generation, self.position, self.seen, self.end = 1, 0, 0, 0
        # A line without its end counts for nothing.
        if told := re.findall(r"^(\d+) (\d+) (\d+) (\d+) *\n", text_of(file), re.MULTILINE):
            self.generation, self.position, self.seen, self.end = map(int, told[-1])

    def __str__(self) -> str:
        return f"{self.generation}:{self.position}"

    def keep(self) -> None:
        """Raises OSError if it can't be kept."""
        line = f"{self.generation} {self.position} {self.seen} {self.end}".ljust(63) + "\n"
        if self._descriptor < 0:
            # Whatever the file has had, from now on it has this line alone.
            new = self._file.with_name(f"{self._file.name}.new")
            new.write_text(line)
            new.replace(self._file)
            self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CLOEXEC)
        os.pwrite(self._descriptor, line.encode(), 0)
