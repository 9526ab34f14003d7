"""What is measured without a cluster: rendering."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.bench import objects, peers, profiles
from tests.bench.environment import CDK8S, CDK8S_ENV, HELM, kubectl
from tests.bench.model import Measure, Object
from tests.bench.process import RUNS, Command, Sample, in_turn, repeated, run, stolen, wall
from tools.paths import ROOT

GROUP = "Render"
_wall = partial(wall, GROUP)
MANY = 1000
"""Demo instances of a large stack."""
_TENTH = MANY // 10


def measures(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """Render a small stack and a large one, each side a process of its own."""
    say("render of dev")
    yield from _dev(folder)
    say(f"render of {MANY:,} instances")
    yield from _many(folder)


def _dev(folder: Path) -> Iterator[Measure]:
    made = objects.rendered("dev")
    ours = Command([sys.executable, "-m", "tools", "render", "--stack", "dev", "--secrets"])
    names = folder / "modules"
    names.write_text("\n".join(_modules(ours.words[3:])))
    imports = _python("imports", names)
    listed = objects.write(made, folder / "dev.json")
    synth = Command([CDK8S, str(SUBJECTS / "synth.py"), str(listed)], env=CDK8S_ENV)
    for peer, command in (("ours", ours), ("cdk8s", synth)):
        objects.assert_same(peer, made, objects.read(run(command).output))
    a, b, c = in_turn(*(repeated(command, 5) for command in (ours, imports, synth)))
    what = "render of dev, whole process"
    yield _wall(what, "a process that only imports the same modules", a, b, aim=1.25)
    yield _wall(what, "cdk8s, the same objects", a, c, aim=1.0)


def _many(folder: Path) -> Iterator[Measure]:
    config: dict[int, Path] = {}
    listed: dict[int, Path] = {}
    made: dict[int, list[Object]] = {}
    for number in (10, _TENTH, MANY):
        config[number] = folder / f"{number}.config.json"
        config[number].write_text(json.dumps(objects.configuration(number)))
        made[number] = objects.rendered("bench", objects.configuration(number))
        listed[number] = objects.write(made[number], folder / f"{number}.json")
    chart = peers.chart(made[MANY], MANY, folder / "chart")
    # Each object is compared with all before it: of those of MANY it would take half a minute.
    tenth_of_them = peers.manifests(made[_TENTH], folder / "kustomize")
    kustomize = Command([kubectl(), "kustomize", str(tenth_of_them.parent)])
    ours = {number: _python("render", "ours", file) for number, file in config.items()}
    raw = {number: _python("render", "raw", file) for number, file in listed.items()}
    others = {
        "helm template": Command([HELM, "template", "bench", str(chart)]),
        "cdk8s": Command([CDK8S, str(SUBJECTS / "synth.py"), str(listed[MANY])], env=CDK8S_ENV),
    }
    for peer, command in {"ours": ours[MANY], "raw Pulumi": raw[MANY], **others}.items():
        objects.assert_same(peer, made[MANY], objects.read(run(command).output))
    for peer, command in {"ours": ours[_TENTH], "kubectl kustomize": kustomize}.items():
        objects.assert_same(peer, made[_TENTH], objects.read(run(command).output))
    # Ours beside what it is held against: a processor is fast or slow for a while.
    helm, b, a, tenth, cdk8s = in_turn(
        repeated(others["helm template"], 15),
        repeated(raw[MANY], 1),
        repeated(ours[MANY], 1),
        repeated(ours[_TENTH], 3),
        repeated(others["cdk8s"], 3),
    )
    what = _instances(MANY, made[MANY])
    yield _wall(what, "raw Pulumi, the same mocks", a, b, aim=1.1)
    yield _peak(f"peak memory of render, {MANY:,} instances", "raw Pulumi", a, b)
    for peer, theirs in zip(others, (helm, cdk8s), strict=True):
        yield _wall(what, peer, a, theirs)
    few, d = in_turn(repeated(ours[_TENTH], 1), repeated(kustomize, 5), runs=3 * RUNS)
    yield _wall(_instances(_TENTH, made[_TENTH]), "kubectl kustomize", few, d)
    least, same = in_turn(repeated(ours[10], 1), repeated(raw[10], 1))
    yield _peak("peak memory of render, 10 instances", "raw Pulumi", least, same)
    yield Measure(
        group=GROUP,
        name=f"render of {MANY:,} instances",
        peer=f"10 times that of {_TENTH}",
        ours=[sample.wall for sample in a],
        theirs=[10 * sample.wall for sample in tenth],
        aim=1.0,
        stolen=stolen(a, tenth),
    )


def profile(folder: Path) -> dict[str, float]:
    """Where the time of a large render goes, by whose code runs."""
    return profiles.shares(folder / f"{MANY}.config.json", folder)


def _instances(number: int, made: list[Object]) -> str:
    return f"render of {number:,} demo instances, {len(made):,} objects"


SUBJECTS = Path(__file__).with_name("subjects")


def _python(subject: str, *words: object) -> Command:
    return Command([sys.executable, "-m", f"tests.bench.subjects.{subject}", *map(str, words)])


_LISTED = """import runpy, sys
before = {*sys.modules}
try:
    runpy.run_module("tools", run_name="__main__", alter_sys=True)
finally:
    sys.stderr.write("".join(f"\\n>{name}\\n" for name in [*sys.modules] if name not in before))
"""


def _modules(words: Sequence[str]) -> list[str]:
    """The modules that a command of the project imports, in the order in which it begins them."""
    command = [sys.executable, "-c", _LISTED, *words]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    names = [line[1:] for line in told.splitlines() if line.startswith(">")]
    return [name for name in names if name not in ("__main__", "tools.__main__")]


def _peak(name: str, peer: str, a: list[Sample], b: list[Sample]) -> Measure:
    ours, theirs = [sample.peak for sample in a], [sample.peak for sample in b]
    return Measure(group=GROUP, name=name, peer=peer, unit="MiB", ours=ours, theirs=theirs, aim=1.1)
