"""Runs the containers' scripts and programs as a container would."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from components.parts import program, script
from tools.paths import ROOT

_SHOWN = 2000
"""Characters of a log."""


class Shell:
    """Runs scripts and programs as a container would, each in a session of its own."""

    def __init__(self, path: str, folder: Path) -> None:
        self.env = {"PATH": path, "TZ": "UTC"}
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        self.readers: dict[int, subprocess.Popen[bytes]] = {}
        """Of those whose standard output is a pipe, by process number."""

    def start(
        self,
        name: str,
        container: str,
        *args: object,
        uses: Sequence[str] = (),
        user: int | None = None,
        piped: bool = False,
        **env: str,
    ) -> subprocess.Popen[str]:
        if (ROOT / "components" / "programs" / f"{name.replace('-', '_')}.py").exists():
            return self.run(*program(name, container, *args), user=user, piped=piped, **env)
        _, *command = script(name, container, *args, uses=uses)
        return self.run("sh", *command, user=user, piped=piped, **env)

    def run(
        self, *command: str, user: int | None = None, piped: bool = False, **env: str
    ) -> subprocess.Popen[str]:
        # Logs go to files, so that no reader keeps a script from ending. `piped` has one read
        # standard output, as a container's runtime does.
        log = (self.folder / f"log-{len(self.started)}").open("w+")
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log) if piped else None
        process = subprocess.Popen(
            command,
            env={**self.env, **env},
            executable=shutil.which(command[0], path=self.env["PATH"]),
            stdout=reader.stdin if reader else log,
            stderr=log,
            text=True,
            start_new_session=True,
            user=user,
            preexec_fn=_heed_signals,
        )
        if reader and reader.stdin:
            reader.stdin.close()
            self.readers[process.pid] = reader
        process.stdout = log
        self.started.append(process)
        return process

    def stop(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for reader in self.readers.values():
            reader.kill()
            reader.wait()
        # Pytest shows it of a test that has failed.
        for process in self.started:
            log = _log(process)
            print(f"{log.name}:\n{log.read_text(errors='replace')[-_SHOWN:]}")


def _heed_signals() -> None:
    """What is ignored under nohup or in the background, a shell could not trap."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def log_of(process: subprocess.Popen[str]) -> str:
    return _log(process).read_text()


def _log(process: subprocess.Popen[str]) -> Path:
    assert process.stdout is not None
    return Path(process.stdout.name)


def wait_for(condition: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def ends_within_a_second(
    process: subprocess.Popen[str], told: signal.Signals = signal.SIGTERM
) -> None:
    process.send_signal(told)
    assert process.wait(timeout=1) == 0
