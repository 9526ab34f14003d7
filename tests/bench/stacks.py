"""Stacks on the local cluster: the project's, and the same objects without components."""

import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench.model import Object
from tests.bench.objects import write
from tests.bench.process import Command
from tests.cluster.program import Program
from tests.cluster.project import Project
from tools import engine, paths

_REGISTERED = Path(__file__).parent / "subjects" / "registered.py"
_MAIN = """from pathlib import Path

from registered import register

register(Path("objects.json"))
"""

UP = ("up", "--yes", "--skip-preview")


class Raw(Program):
    """A program that registers objects from a file, in a loop."""

    def __init__(self, folder: Path, objects: Iterable[Object]) -> None:
        super().__init__(folder)
        shutil.copy(_REGISTERED, folder)
        (folder / "__main__.py").write_text(_MAIN)
        write(objects, folder / "objects.json")
        about: Object = yaml.safe_load((paths.ROOT / "Pulumi.yaml").read_text())
        own = {"name": "raw", "runtime": about["runtime"]}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(own))
        config = {
            "kubernetes:context": paths.CONTEXT,
            "kubernetes:kubeconfig": str(paths.KUBECONFIG),
            "kubernetes:enableConfigMapMutable": "true",
            "kubernetes:enableSecretMutable": "true",
        }
        # With the local stack's salt, which goes with the empty passphrase.
        content: Object = yaml.safe_load(engine.stack_file(engine.LOCAL).read_text())
        file = folder / f"Pulumi.{self.stack}.yaml"
        file.write_text(yaml.safe_dump({**content, "config": config}))
        self.initialise()


@contextmanager
def project(folder: Path, **settings: Any) -> Generator[Project]:
    """A copy of the project with a stack of its own; what it deployed is removed in the end."""
    folder.mkdir()
    made = Project(folder)
    made.configure(**settings)
    try:
        yield made
    finally:
        made.destroy()


@contextmanager
def raw(folder: Path, objects: Iterable[Object]) -> Generator[Raw]:
    """A program of the same objects; what it deployed is removed in the end."""
    folder.mkdir()
    made = Raw(folder, objects)
    try:
        yield made
    finally:
        made.destroy()


def command(program: Program, *words: str) -> Command:
    """A `pulumi` command of a program, to be timed."""
    return Command(
        ["pulumi", *words, "--stack", program.stack, "--non-interactive"],
        program.folder,
        program.env,
    )
