"""Both sides' stacks, rendered at the same time, each by its own code."""

import hashlib
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import yaml

from stacks.settings import PROJECT
from tools import paths, toolchain
from tools.diff.model import Item, Object, Side
from tools.errors import CommandError

_RUNNER = Path(__file__).with_name("runner.py")
_REQUIREMENTS = "requirements.txt"
_POLICIES = ("allowUnpinnedImages", "budget", "waivers")
"""What a stack's file says to the policies."""

Sides = dict[str, Side]
"""By stack."""


def render(old: Path, new: Path, base: str, say: Callable[[str], None]) -> tuple[Sides, Sides]:
    """All stacks of two trees. `base` is what to call the old one."""
    started = time.monotonic()
    names = sorted({*_stacks(old), *_stacks(new)})
    say(f"Rendering {', '.join(names)} at {base} and in the work tree")
    key = secrets.token_hex()
    with _running(sys.executable, new, _stacks(new), key) as head:
        try:
            python = _python(old, new)
        except CommandError as error:
            problem = f"Its requirements can't be installed: {error}"
            before = {stack: Side(problem=problem) for stack in _stacks(old)}
        else:
            with _running(python, old, _stacks(old), key) as other:
                before = _results(old, other)
        after = _results(new, head)
    say(f"Rendered in {time.monotonic() - started:.1f} s")
    return before, after


def _stacks(root: Path) -> list[str]:
    files = (root / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def _python(old: Path, new: Path) -> str:
    """The Python that has what the old tree requires; it is installed if nobody has it yet."""
    file = old / _REQUIREMENTS
    if not file.exists() or file.read_bytes() == (new / _REQUIREMENTS).read_bytes():
        return sys.executable
    about = file.read_bytes() + platform.python_version().encode()
    folder = paths.CACHE / "venv" / hashlib.sha256(about).hexdigest()[:12]
    python = folder / "bin" / "python"
    if not python.exists():
        toolchain.step("Python packages of the base", lambda: _install(folder, file))
    return str(python)


def _install(folder: Path, requirements: Path) -> None:
    """Make a virtual environment beside and move it, so that no other run sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        toolchain.run(sys.executable, "-m", "venv", unfinished)
        words = ["-m", "pip", "install", "--quiet", "--requirement", requirements]
        toolchain.run(unfinished / "bin" / "python", *words)
        if not folder.exists():
            unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


class _Run:
    """A process that renders, and the files that it writes to."""

    def __init__(self, python: str, root: Path, stacks: list[str], key: str, folder: Path) -> None:
        self.stacks = stacks
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            # Byte code of a tree that is gone in a moment would be in vain.
            words = [python, *(["-B"] if python != sys.executable else []), str(_RUNNER)]
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=out, stderr=err, env=_environment()
            )
        request = {"root": str(root), "stacks": stacks, "key": key}
        assert self.process.stdin is not None
        with self.process.stdin as stdin:
            stdin.write(json.dumps(request).encode())


def _environment() -> dict[str, str]:
    """Ours, without what would make the revision's code find another's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@contextmanager
def _running(python: str, root: Path, stacks: list[str], key: str) -> Generator[_Run]:
    """A process that renders; it ends with the block, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="sidecar-powers-diff-") as folder:
        run = _Run(python, root, stacks, key, Path(folder))
        try:
            yield run
        finally:
            run.process.kill()
            run.process.wait()


def _results(root: Path, run: _Run) -> Sides:
    """What a process has rendered, once it has ended."""
    run.process.wait()
    answers = [cast(Object, json.loads(line)) for line in run.out.read_text().splitlines()]
    found = {answer["stack"]: answer for answer in answers}
    said = run.err.read_text().strip().splitlines()[-5:]
    died = "\n".join([f"The renderer ended with exit code {run.process.returncode}.", *said])
    return {stack: _side(root, stack, found.get(stack, {"problem": died})) for stack in run.stacks}


def _side(root: Path, stack: str, answer: Object) -> Side:
    if "problem" in answer:
        # Where the tree is for the moment says nothing, and is another place each time.
        problem = answer["problem"].replace(f"{root}/", "")
        return Side(problem=problem or "It gives no reason.")
    objects = [Item(item["object"], item["urn"], item["options"]) for item in answer["objects"]]
    file = root / "stacks" / f"Pulumi.{stack}.yaml"
    own = _settings(file, f"{PROJECT}:")
    return Side(
        objects,
        settings={**project_settings(root), **_settings(file, "kubernetes:")},
        policies={key: own[key] for key in _POLICIES if key in own},
    )


def project_settings(root: Path) -> Object:
    """What a project's file says to the provider for all stacks.

    https://www.pulumi.com/docs/iac/concepts/projects/project-file/
    """
    file = root / "Pulumi.yaml"
    found = _settings(file, "kubernetes:") if file.exists() else {}
    return {key: value["value"] for key, value in found.items() if "value" in value}


def _settings(file: Path, prefix: str) -> Object:
    """What a project's or a stack's file says to the provider or the project.

    All of them have been read before.
    """
    content: Any = yaml.safe_load(file.read_text())
    config: Any = cast(Object, content).get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict):
        return {}
    return {
        str(key).removeprefix(prefix): value
        for key, value in cast(Object, config).items()
        if str(key).startswith(prefix)
    }
