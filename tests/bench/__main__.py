"""Takes all figures and writes docs/benchmarks.*: python -m tests.bench [PART...].

A part that is named, of `render`, `deploy`, `run` and `idle`, replaces its figures, and those of
the other parts stay. `growth` and `scale` are taken only if they are named: they take longer than
all others.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import environment, live, offline, page, profiles, running, scale
from tests.bench.model import Measure, Results
from tools import cluster
from tools.errors import CommandError

PARTS = {
    "render": offline.measures,
    "deploy": live.measures,
    "run": running.measures,
    "idle": running.idle,
}
NAMED = {"growth": scale.growth}


def main() -> None:
    """Measure, then write; nothing is written if a part fails."""
    names = sys.argv[1:] or list(PARTS)
    parts = {**PARTS, **NAMED}
    if unknown := set(names) - {*parts, "scale"}:
        sys.exit(f"found {', '.join(sorted(unknown))}, allowed is {', '.join(parts)}, scale")
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)

    began = environment.processor()
    before = page.read()
    found: list[Measure] = []
    results = Results(
        machine=environment.machine(),
        versions=environment.versions(),
        measures=before.measures if before else [],
        profile=before.profile if before else {},
        scales=before.scales if before else [],
        engine=before.engine if before else {},
        state=before.state if before else {},
        programs=before.programs if before else {},
    )
    try:
        if names != ["render"]:
            cluster.up(say)
        with TemporaryDirectory() as folder:
            for name in names:
                part = Path(folder, name)
                part.mkdir()
                if name == "scale":
                    results.scales = []
                    for size in scale.scales(part, say):
                        results.scales.append(size)
                        # Who ends it early has what there is.
                        page.write(results)
                    continue
                taken: list[Measure] = []
                with environment.Pace() as pace:
                    for measure in parts[name](part, say):
                        measure.pace = pace.milliseconds()
                        taken.append(measure)
                        say(f"{measure.name}: {page.ratio(measure.ratio)} of {measure.peer}")
                results.replace(taken)
                found += taken
                if name == "render":
                    results.profile = offline.profile(part)
                if name == "idle":
                    results.programs = profiles.memory()
                if name == "growth":
                    results.engine, results.state = scale.profile(part)
    except CommandError as error:
        sys.exit(str(error))
    spent, stolen = (b - a for a, b in zip(began, environment.processor(), strict=True))
    results.machine["processor time that its host gave to others"] = (
        f"{stolen / spent:.1%} ({', '.join(names)})"
    )
    page.write(results)
    say(f"written: {page.PAGE.name}")
    for line in page.compared(found, before) if before else ():
        say(line)


if __name__ == "__main__":
    main()
