"""What is known of the process that a program follows."""

import time
from pathlib import Path

from .basics import publish, text_of, uptime
from .processes import Process, find, runs


class Known:
    """The main process of a container, and how it has been; also in a file, which outlasts the
    program.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._recorded = file, text_of(file).strip()
        self.meet(Process(0, 0))
        try:
            which, seen, up, failures, self.occurrence, good = self._recorded.split()
            pid, start = which.split(":")
            self.process, self.up = Process(int(pid), int(start)), up == "yes"
            self.seen, self.failures, self.good = int(seen), int(failures), int(good)
        except ValueError:
            # There is none, or it has nothing that one could use.
            self.meet(Process(0, 0))

    def meet(self, process: Process) -> None:
        """Nothing is known of it yet."""
        self.process, self.seen = process, int(uptime())
        """The process, and since when it is followed."""
        self.up, self.failures = False, 0
        """Whether it has ever answered, and how often it has not, in a row."""
        self.occurrence, self.good = "none", 0
        """The name of the dump that the present trouble has got, or none, and how often the process
        has answered well since."""

    @property
    def which(self) -> str:
        """The process, as files have it."""
        return f"{self.process.pid}:{self.process.start}"

    def record(self) -> None:
        """Write it down, if it is not what has been written down."""
        up = "yes" if self.up else "no"
        text = f"{self.which} {self.seen} {up} {self.failures} {self.occurrence} {self.good}"
        if text != self._recorded and publish(self._file, f"{text}\n"):
            self._recorded = text

    def follow(self, name: str) -> None:
        """Find the container's process, unless it is this one. Raises LookupError."""
        if not runs(self.process):
            self.meet(find(name))

    def ended(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        deadline = time.monotonic() + seconds
        while runs(self.process):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
        return True
