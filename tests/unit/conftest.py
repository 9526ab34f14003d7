"""Shells, as images have them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.shell import Shell


@pytest.fixture(scope="session")
def busybox_path() -> Iterator[str]:
    """A PATH that has busybox's tools only, and curl."""
    busybox, curl = shutil.which("busybox"), shutil.which("curl")
    assert busybox, "busybox is missing: `make test` installs it"
    assert curl, "curl is missing: `make test` installs it"
    with tempfile.TemporaryDirectory() as folder:
        # Tests run processes of other users too.
        Path(folder).chmod(0o755)
        subprocess.run([busybox, "--install", "-s", folder], check=True)
        Path(folder, "curl").symlink_to(curl)
        yield folder


@pytest.fixture(params=["dash", "busybox"])
def shell(request: pytest.FixtureRequest, busybox_path: str, tmp_path: Path) -> Iterator[Shell]:
    """`sh` of the system (dash on Debian) with its tools, and busybox with its own."""
    shell = Shell(busybox_path if request.param == "busybox" else os.environ["PATH"], tmp_path)
    yield shell
    shell.stop()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Shell]:
    """What runs programs under the system's Python, which images have too, and scripts under its
    `sh`."""
    host = Shell(f"/usr/bin:{os.environ['PATH']}", tmp_path)
    yield host
    host.stop()


@pytest.fixture
def with_watcher(shell: Shell, tmp_path: Path) -> Shell:
    """The shell with inotifywait, which busybox does not bring with it on Debian."""
    found = shutil.which("inotifywait")
    assert found, "inotifywait is missing: `make test` installs it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "inotifywait").symlink_to(found)
    shell.env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{shell.env['PATH']}"
    return shell
