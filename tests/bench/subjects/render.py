"""Renders as `make render` does, under the same mocks.

python -m tests.bench.subjects.render ours CONFIG   # what the project registers
python -m tests.bench.subjects.render raw OBJECTS   # the same objects without components
"""

import json
import sys
from functools import partial
from pathlib import Path

from tools import render

side, path = sys.argv[1], Path(sys.argv[2])
if side == "ours":
    found = render.render("bench", secrets=True, config=json.loads(path.read_text()))
else:
    from tests.bench.subjects.registered import register

    found = render.render("bench", secrets=True, config={}, program=partial(register, path))
sys.stdout.write("---\n".join(render.to_yaml(item.object) for item in found))
