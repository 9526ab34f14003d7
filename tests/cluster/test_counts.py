"""What the engine costs, in figures that no clock changes: they may fall, and never rise unseen."""

import subprocess
import sys

from tools import paths
from tools.render import render

OBJECTS = {"article": 14, "dev": 16, "local": 41, "prod": 20, "staging": 15}
"""Objects that each stack registers."""

MODULES = 740
"""Python modules that a render of dev imports: 728 with Python 3.11.7, and a few for another."""


def test_no_stack_registers_more_objects_than_it_did() -> None:
    assert {stack: len(render(stack)) for stack in OBJECTS} == OBJECTS


def test_a_render_imports_no_more_than_it_did() -> None:
    code = "import sys; from tools.render import render; render('dev'); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert len(modules) <= MODULES
    # What no stack file names is not loaded, and the official client is for those who look.
    assert not {"components.hot_reload", "components.resize", "kubernetes", "pytest"} & {*modules}
