"""A Pulumi program in a folder of its own, driven by plain `pulumi` commands."""

import json
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import engine, paths

Object = dict[str, Any]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    output: str


class Program:
    """A program with one stack, which has a backend of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = f"e2e-{secrets.token_hex(4)}"
        (folder / ".venv").symlink_to(paths.ROOT / ".venv")
        (folder / "state").mkdir()
        self.env = {
            **os.environ,
            **engine.environment(engine.LOCAL),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
        }

    def initialise(self) -> None:
        """Create the stack, once its file is written."""
        assert self.pulumi("stack", "init", "--no-select").code == 0

    def pulumi(self, *words: str) -> Done:
        """Run a command; what it printed for people."""
        done = self._run(words, stderr=subprocess.STDOUT)
        return Done(done.returncode, done.stdout)

    def up(self, *words: str) -> str:
        """Deploy; what it printed."""
        return _passed(self.pulumi("up", "--yes", "--skip-preview", *words))

    def refresh(self) -> str:
        """Take what is live into the state; what it printed."""
        return _passed(self.pulumi("refresh", "--yes", "--skip-preview"))

    def destroy(self) -> str:
        """Delete all of it; what it printed."""
        return _passed(self.pulumi("destroy", "--yes", "--skip-preview"))

    def outputs(self) -> Object:
        """What the program exports."""
        return self._json("stack", "output")

    def registered(self) -> list[Object]:
        """The Kubernetes objects that a preview registers, as the program declares them."""
        steps = self._json("preview")["steps"]
        states = [step["newState"] for step in steps if "newState" in step]
        found = [state for state in states if state["type"].startswith("kubernetes:")]
        return [state["inputs"] for state in found]

    def _json(self, *words: str) -> Object:
        """What a command prints, read."""
        return json.loads(self._read(*words, "--json"))

    def _read(self, *words: str) -> str:
        """What a command prints for programs; messages for people go elsewhere."""
        done = self._run(words, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _run(self, words: tuple[str, ...], stderr: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *words, "--stack", self.stack, "--non-interactive"],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=stderr,
            check=False,
        )


def _passed(done: Done) -> str:
    assert done.code == 0, done.output
    return done.output
