"""The package that others install, made by pip without a network."""

import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT

EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/Pulumi.yaml"))
"""Programs that use it, by their folders."""


def build(folder: Path) -> Path:
    """Build the wheel into a folder; its path."""
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> None:
    """Install a wheel, and nothing of what it requires, into a folder."""
    pip("install", "--no-deps", "--target", folder, wheel)


def pip(command: str, *words: str | Path, cwd: Path = ROOT) -> str:
    """Run one of pip's commands in this virtual environment; what it printed."""
    options = ["--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
