"""Runs the system's programs, and says in one sentence what went wrong."""

import os
import shutil
import subprocess

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: `su` without `-` leaves the sbin folders out of its PATH."""


class ClusterError(Exception):
    """Why the local cluster cannot do what was asked: one sentence for a person to read."""


def installed(program: str) -> bool:
    """Whether the system has a program."""
    return shutil.which(program, path=PATH) is not None


def run(*command: str) -> str:
    """Run a program of the system and return its standard output.

    Raises ClusterError with the last line it printed if it is missing or fails.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": PATH}
        )
    except FileNotFoundError:
        raise ClusterError(f"{command[0]} is not installed.") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}"
        raise ClusterError(f"{command[0]} failed: {said.splitlines()[-1]}")
    return done.stdout
