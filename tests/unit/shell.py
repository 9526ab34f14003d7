"""Runs the containers' scripts and programs as a container would."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from components.parts import program, script
from tools.paths import ROOT

_SHOWN = 2000
"""Characters of a log."""

# Popen's own `preexec_fn` and `user` would fork the tests' process, and gRPC, which starts its
# threads anew in a fork, aborts one of a hundred before it has become another program.
_ENV, _SETPRIV = "/usr/bin/env", "/usr/bin/setpriv"


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
        # What is ignored under nohup or in the background, a shell could not trap.
        prefix = [_ENV, "--default-signal=HUP,QUIT"]
        if user is not None:
            prefix[:0] = [_SETPRIV, f"--reuid={user}"]
        process = subprocess.Popen(
            [*prefix, *command],
            env={**self.env, **env},
            stdout=reader.stdin if reader else log,
            stderr=log,
            text=True,
            start_new_session=True,
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
