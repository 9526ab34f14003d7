"""What programs that wait for changes can rely on."""

import ctypes
import time
from pathlib import Path
from typing import Any

import pytest

from components.programs.changes import Changes


class NoWatches:
    """A C library on a node whose users have as many watches as they may."""

    def __init__(self, *_: object, **__: Any) -> None:
        pass

    def inotify_init1(self, _: int) -> int:
        ctypes.set_errno(24)
        return -1


@pytest.mark.parametrize("none", [True, False], ids=["no watch", "no directory"])
def test_what_cannot_be_watched_is_said_and_costs_time_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    none: bool,
) -> None:
    if none:
        monkeypatch.setattr(ctypes, "CDLL", NoWatches)
    directory = tmp_path if none else tmp_path / "no"
    changes = Changes(directory)
    reason = "Too many open files" if none else "No such file or directory"
    assert capsys.readouterr().err == f"cannot watch {directory}: {reason}\n"
    started = time.monotonic()
    changes.wait(0.2)
    assert 0.2 <= time.monotonic() - started < 1
