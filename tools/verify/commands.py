"""Tries the commands that a stack prints for looking at a demo, as a person would type them."""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.checks import UnmetError
from tools.verify.patience import Patience

_LOCAL_PORT = "8080"
"""What is printed; several demos are tried at once, and somebody may use it."""

_LEAST = 2
"""Seconds that a command gets, however late it is."""


def try_out(commands: Sequence[str], env: Mapping[str, str], patience: Patience) -> str:
    """Run them in their order; each must show something, and those that end must succeed.

    Those that go on, such as `port-forward`, go on until the last one is done. Raises
    UnmetError with the first that fails.
    """
    port = str(_free_port())
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for number, command in enumerate(commands):
            typed = re.sub(rf"\b{_LOCAL_PORT}(?=:)|(?<=localhost:){_LOCAL_PORT}", port, command)

            def look(typed: str = typed, file: Path = Path(folder, str(number))) -> str:
                return _look(typed, env, file, stack, patience)

            patience.until(look)
    return f"{len(commands)} of {len(commands)}"


def _look(
    command: str,
    env: Mapping[str, str],
    file: Path,
    stack: contextlib.ExitStack,
    patience: Patience,
) -> str:
    """Start a command and wait until it has shown something or has ended."""
    errors = file.with_suffix(".err")
    with file.open("wb") as output, errors.open("wb") as error_output:
        try:
            process = subprocess.Popen(
                shlex.split(command),
                env=_direct({**os.environ, **env}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=error_output,
            )
        except FileNotFoundError as error:
            raise UnmetError(f"{error.filename} is not installed") from None
    stack.callback(process.wait)
    stack.callback(process.kill)
    least = time.monotonic() + _LEAST
    while process.poll() is None and not file.stat().st_size:
        if patience.left <= 0 and time.monotonic() > least:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    said = errors.read_text(errors="replace").strip().splitlines()[-1:]
    if process.returncode:
        detail = f": {said[0]}" if said else ""
        raise UnmetError(f"`{command}` ended with exit code {process.returncode}{detail}")
    if not file.stat().st_size:
        raise UnmetError(f"`{command}` shows nothing")
    return command


def _direct(env: Mapping[str, str]) -> dict[str, str]:
    """The same, with no proxy on the way to this machine's own ports."""
    known = [env.get("NO_PROXY", ""), env.get("no_proxy", ""), "localhost", "127.0.0.1"]
    return {**env, **dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(filter(None, known)))}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
