"""A `pulumi` command that runs while the test goes on."""

import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.faults import within
from tests.cluster.program import Done
from tests.cluster.project import Project


class Background:
    """The command, and what it has printed so far."""

    def __init__(self, project: Project, *words: str) -> None:
        self._log = project.folder / "background.log"
        # Not a pipe, which nobody would read.
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["pulumi", *words, "--stack", project.stack, "--non-interactive"],
                cwd=project.folder,
                env=project.env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> Done:
        return Done(self._process.wait(), self.output)

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Let it not go on meanwhile, so that it is surely not done."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it as the kernel would for lack of memory; what is ours of it ends by itself."""
        ours = [pid for pid in _descendants(self._process.pid) if _is_ours(pid)]
        self._process.kill()
        self._process.wait()
        within(5, lambda: not any(map(_is_ours, ours)))


def _is_ours(pid: int) -> bool:
    """Whether it is the language host or the provider of this project, which may stand in."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "language_host.py" in command or "tools.provider" in command


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found += [child, *_descendants(child)]
    return found
