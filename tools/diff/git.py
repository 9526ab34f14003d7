"""The base revision: which it is, and a tree of its files for a moment."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tools.errors import CommandError

DEFAULTS = ("origin/main", "main", "HEAD")
"""What to compare with if nobody says, the first that there is."""

_WORDS = ["git", "-c", f"core.hooksPath={os.devnull}"]
"""A checkout that is gone in a moment is no concern of anybody's hooks."""


@dataclass(frozen=True)
class Revision:
    """A commit, and what it was asked for as."""

    name: str
    commit: str


def resolve(root: Path, name: str) -> Revision:
    """The revision of that name, or the first of DEFAULTS. Raises CommandError if there is none."""
    if shutil.which("git") is None:
        raise CommandError("Please install git: the base's files come from the repository.")
    done = _git(root, "rev-parse", "--git-dir")
    if done.returncode != 0:
        raise CommandError(f"There is no base to compare with: {done.stderr.strip()}")
    for found in [name] if name else DEFAULTS:
        words = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{found}^{{commit}}"]
        done = _git(root, *words)
        if done.returncode == 0:
            return Revision(found, done.stdout.strip())
    if not name:
        raise CommandError("BASE: the repository has no commit to compare with.")
    raise CommandError(
        f"BASE: found {name!r}, allowed is a revision that this clone has;"
        " `git fetch` gets those of the remote."
    )


@contextmanager
def checked_out(root: Path, revision: Revision) -> Generator[Path]:
    """The project's files at a revision, in a work tree that is removed whatever happens."""
    prefix = _git(root, "rev-parse", "--show-prefix").stdout.strip()
    folder = Path(tempfile.mkdtemp(prefix="sidecar-powers-diff-"))
    tree = folder / "base"
    with _ended_by_exceptions():
        try:
            words = ["worktree", "add", "--quiet", "--detach", str(tree), revision.commit]
            done = _git(root, *words)
            if done.returncode != 0:
                raise CommandError(f"{revision.name} can't be checked out: {done.stderr.strip()}")
            yield tree / prefix
        finally:
            _remove(root, folder, tree)


def _remove(root: Path, folder: Path, tree: Path) -> None:
    """Remove the work tree; a second Ctrl-C has to wait for it."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    try:
        removed = _git(root, "worktree", "remove", "--force", str(tree)).returncode == 0
        shutil.rmtree(folder, ignore_errors=True)
        if not removed:
            _git(root, "worktree", "prune")
    finally:
        if main:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _ended_by_exceptions() -> Generator[None]:
    """Let the signals that end a program run what is to be done at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    # Under nohup a hang-up stays ignored.
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run git on the repository of a folder, whatever a hook has set for another one."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        [*_WORDS, "-C", str(root), *words], env=env, capture_output=True, text=True, check=False
    )
