"""Imports modules and does nothing with them: python -m tests.bench.subjects.imports FILE.

FILE has a name a line, in the order in which another process has imported them.
"""

import sys
from importlib import import_module
from pathlib import Path

for name in Path(sys.argv[1]).read_text().split():
    import_module(name)
