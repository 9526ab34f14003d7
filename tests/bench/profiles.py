"""Where the time of a render goes, by whose code it is, and the memory of an idle program."""

import ast
import pstats
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from components import parts
from tools.paths import ROOT

_OWNERS = {
    "/site-packages/pulumi_kubernetes/": "pulumi-kubernetes",
    "/site-packages/pulumi/": "Pulumi SDK",
    "/site-packages/google/": "protobuf",
    "/site-packages/grpc/": "gRPC",
    "/site-packages/pydantic": "pydantic",
    "/site-packages/yaml/": "PyYAML",
    "/site-packages/": "other packages",
    f"{ROOT}/components/": "components/",
    f"{ROOT}/stacks/": "stacks/",
    f"{ROOT}/tools/": "tools/",
    f"{ROOT}/__main__.py": "__main__.py",
    "/asyncio/": "asyncio",
}


def shares(config: Path, folder: Path) -> dict[str, float]:
    """The share of each owner in the time of a render, builtins counted to their callers.

    Profiling costs more where functions are short, so the shares are no measurement.
    """
    file = folder / "profile"
    words = ["-m", "cProfile", "-o", str(file), "-m", "tests.bench.subjects.render"]
    subprocess.run(
        [sys.executable, *words, "ours", str(config)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    found: dict[str, float] = {}
    stats: dict[tuple[str, int, str], Any] = cast(Any, pstats.Stats(str(file))).stats
    for (path, _, _), (_, _, own, _, callers) in stats.items():
        if path == "~":
            for (caller, _, _), (_, _, part, _) in callers.items():
                _add(found, caller, part)
        else:
            _add(found, path, own)
    total = sum(found.values())
    return {
        owner: seconds / total
        for owner, seconds in sorted(found.items(), key=lambda item: -item[1])
    }


def _add(found: dict[str, float], path: str, seconds: float) -> None:
    owner = next((owner for part, owner in _OWNERS.items() if part in path), "Python itself")
    found[owner] = found.get(owner, 0) + seconds


def memory() -> dict[str, tuple[float, float, float]]:
    """MiB that the interpreter, the imports and the own code of each program take, by its name.

    Under the system's Python, which is Debian's, as the images have it.
    """
    bare = _anonymous("")
    found: dict[str, tuple[float, float, float]] = {}
    for file in sorted((ROOT / "components" / "programs").glob("*.py")):
        # What others import has no call of its own.
        if _ENTRY not in file.read_text():
            continue
        name = file.stem.replace("_", "-")
        code = parts.program(name, name)[4].partition(_ENTRY)[0]
        lines = [item for item in ast.parse(code).body if isinstance(item, _IMPORTS)]
        imports = _anonymous("\n".join(map(ast.unparse, lines)))
        found[name] = (bare, imports - bare, _anonymous(code) - imports)
    return found


_ENTRY = 'if __name__ == "__main__":'
_IMPORTS = (ast.Import, ast.ImportFrom)
_TELL = """
with open("/proc/self/smaps_rollup") as told:
    print(next(line for line in told if line.startswith("Anonymous:")).split()[1])
"""


def _anonymous(code: str) -> float:
    """MiB that a Python has that nobody shares with it, once it has run this."""
    words = ["/usr/bin/python3", "-I", "-S", "-c", f"{code}\n{_TELL}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024
