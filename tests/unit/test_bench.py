"""The benchmarks do equal work on both sides, in turn, and their page says what was found."""

import copy
import json
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from tests.bench import __main__ as bench
from tests.bench import environment, objects, offline, page, process, profiles, running, scale
from tests.bench.model import PACE_MS, Measure, Object, Results, Scale
from tests.bench.process import Command, Sample, apart, in_turn, middle, repeated, run
from tests.bench.subjects.registered import register
from tools.errors import CommandError
from tools.render import render


def measure(ours: list[float], theirs: list[float], aim: float | None = None) -> Measure:
    return Measure(
        group="Render", name="a render", peer="a peer", ours=ours, theirs=theirs, aim=aim
    )


def results(*measures: Measure) -> Results:
    found = Results(machine={"cores": "2"}, versions={"Python": "3.11"})
    found.replace(measures)
    return found


def test_a_plain_program_registers_the_same_objects(tmp_path: Path) -> None:
    made = objects.rendered("bench", objects.configuration(5))
    file = objects.write(made, tmp_path / "objects.json")
    raw = render("bench", secrets=True, config={}, program=partial(register, file))
    objects.assert_same("raw Pulumi", made, [item.object for item in raw])


def test_a_peer_that_does_less_is_not_timed() -> None:
    made = objects.rendered("bench", objects.configuration(5))
    other = copy.deepcopy(made)
    deployment = next(item for item in other if item["kind"] == "Deployment")
    del deployment["spec"]["template"]["spec"]["automountServiceAccountToken"]
    name = deployment["metadata"]["name"]
    with pytest.raises(CommandError, match=f"does not do the same work: Deployment bench/{name} "):
        objects.assert_same("peer", made, other)
    with pytest.raises(CommandError, match="Namespace /bench"):
        objects.assert_same("peer", made, [i for i in made if i["kind"] != "Namespace"])


def test_neither_side_always_comes_second() -> None:
    order: list[str] = []

    def side(name: str) -> Sample:
        order.append(name)
        return Sample(len(order), 0, 0, "")

    a, b = in_turn(partial(side, "a"), partial(side, "b"), runs=4)
    assert "".join(order) == "ab" + "abba" * 2
    assert [sample.wall for sample in a] == [3, 6, 7, 10]
    assert [sample.wall for sample in b] == [4, 5, 8, 9]


def test_what_was_disturbed_is_run_again() -> None:
    # The first is not counted; of the last two tries were made again, as many as there are runs.
    stolen = [9, 0.1, 5, 2, 3]
    left = iter(stolen)
    found = in_turn(lambda: Sample(10, 0, 0, "", next(left)), runs=2)
    assert [sample.stolen for sample in found[0]] == [0.1, 2]
    assert next(left, None) is None


def test_a_pair_is_as_disturbed_as_the_worse_of_it() -> None:
    a, b = [Sample(2, 0, 0, "", 1), Sample(1, 0, 0, "")], [Sample(1, 0, 0, "")] * 2
    assert process.stolen(a, b) == process.stolen(b, a) == [0.5, 0]
    timed = process.wall("Render", "a render", "a peer", a, b, aim=2)
    assert (timed.ours, timed.theirs, timed.stolen) == ([2, 1], [1, 1], [0.5, 0])
    assert timed.met


def test_a_process_is_timed_from_outside() -> None:
    code = "import time; x = 'x' * 50_000_000; time.sleep(0.4); print(time.process_time())"
    sample = run(Command(["python3", "-c", code]))
    # While it sleeps it takes no processor time, however busy the machine is.
    assert float(sample.output) <= sample.cpu <= sample.wall - 0.3
    assert sample.peak >= 45
    with pytest.raises(CommandError, match="ended with exit code 3:\nwhy"):
        run(Command(["sh", "-c", "echo why; exit 3"]))


def test_a_short_command_is_timed_as_the_mean_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([Sample(1, 2, 30, "first", 0.5), Sample(4, 6, 50, "last", 1.5)])

    def run(_: Command) -> Sample:
        return next(taken)

    monkeypatch.setattr(process, "run", run)
    assert repeated(Command(["true"]), 2)() == Sample(2.5, 4, 40, "last", 1)
    assert next(taken, None) is None


def test_of_three_ups_the_one_in_the_middle_counts() -> None:
    late, usual, early = (Sample(wall, 1, 1, "") for wall in (12, 7, 6.5))
    assert middle([late, usual, early]) is usual


def test_what_waits_for_the_kubelet_begins_all_over_its_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[float | Command] = []

    def run(command: Command) -> Sample:
        done.append(command)
        return Sample(1, 1, 1, "")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(process.time, "sleep", done.append)
    command = Command(["true"])
    work = apart(command)
    for _ in range(24):
        work()
    assert done[1::2] == [command] * 24
    waits = [item for item in done[::2] if isinstance(item, float)]
    for number in range(1, len(waits) + 1):
        seen = sorted(waits[:number])
        assert max(b - a for a, b in pairwise([*seen, 1 + seen[0]])) < 2 / number


V1: Object = {
    "cpu": {"usage": {"total": 5000}},
    "memory": {
        "total_rss": 100,
        "total_cache": 80,
        "total_active_file": 40,
        "total_inactive_file": 30,
        "kernel": {"usage": 7},
        "usage": {"usage": 999},
    },
}
V2: Object = {
    "cpu": {"usage_usec": 5},
    "memory": {"usage": 187, "active_file": 40, "inactive_file": 30},
}


@pytest.mark.parametrize("metrics", [V1, V2])
def test_what_idles_holds_no_pages_of_files(
    monkeypatch: pytest.MonkeyPatch, metrics: Object
) -> None:
    def ctr(*_: str) -> str:
        return json.dumps(metrics)

    monkeypatch.setattr(running, "ctr", ctr)
    seen = running.look("a container")
    # A file in memory is no file to read again: of 80 bytes of cache, 10.
    assert (seen.cpu, seen.memory) == (5000, 100 + 10 + 7)


def test_a_ratio_is_the_median_of_the_pairs() -> None:
    assert measure([1, 9, 3], [2, 3, 3]).ratio == 1
    assert measure([2, 4, 6], [4]).ratio == 1


def test_processor_time_is_that_of_one_processor() -> None:
    """Of two runs, the second on a processor that takes a fifth more for the same work."""
    a, b = (
        measure([used], [10], 0.1).model_copy(update={"unit": "mCPU", "reference": reference})
        for used, reference in ((0.9, 1), (1.08, 1.2))
    )
    assert a.ratio == pytest.approx(b.ratio) == pytest.approx(0.09)
    assert b.met
    assert "| 0.90 m | 10.0 m | 0.090 | ≤ 0.1 | met |" in page.rendered("page.md", results(b))
    # What has no reference beside it is as it was taken.
    assert b.model_copy(update={"reference": None}).ratio == pytest.approx(0.108)


def test_beside_what_waits_the_processor_is_always_as_fast() -> None:
    """Of two runs, the second on a processor that takes a fifth more for the same work."""
    a, b = (
        measure([used], [10], 0.15).model_copy(update={"waits": True, "pace": pace})
        for used, pace in ((1, PACE_MS), (1.2, 1.2 * PACE_MS))
    )
    assert a.ratio == b.ratio == pytest.approx(0.1)
    # Where nothing is known of the processor, it is as it was taken.
    assert b.model_copy(update={"pace": None}).ratio == pytest.approx(0.12)
    # Two programs in turn are both slower.
    assert b.model_copy(update={"waits": False}).ratio == pytest.approx(0.12)


@pytest.mark.parametrize(
    ("slow", "counted"),
    [
        # The third span, then all but two of ten: it ends once five count, and else after ten.
        ({2}, [0, 1, 3, 4, 5]),
        (set(range(1, 9)), [0, 9]),
    ],
)
@pytest.mark.parametrize("kind", ["python", "shell"])
def test_what_idles_is_looked_at_again_where_its_reference_was_slow(
    monkeypatch: pytest.MonkeyPatch, kind: str, slow: set[int], counted: list[int]
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def look(container: str) -> running.Look:
        """A thousandth of a processor; a fifth more of the slow one in what doesn't count."""
        extra = sum(min(max(now / 120 - span, 0), 1) for span in slow) if container == kind else 0
        return running.Look(now, round((now + 0.2 * 120 * extra) * 1e6), 0)

    monkeypatch.setattr(running.time, "monotonic", lambda: now)
    monkeypatch.setattr(running.time, "sleep", sleep)
    monkeypatch.setattr(running, "look", look)
    idlers = {name: running.Idler("shell", [name]) for name in ("python", "shell", "sidecar")}
    found, calm = running.looks(idlers)
    assert calm == counted
    assert now == 120 * (counted[-1] + 1)
    (copy,) = found[kind]
    rates = [running.rate(copy, span) for span in range(counted[-1] + 1)]
    assert rates == pytest.approx([1.2 if span in slow else 1 for span in range(len(rates))])


def test_the_page_says_which_aim_was_missed() -> None:
    lines = page.rendered("page.md", results(measure([3], [2], 1.1), measure([1], [2], 0.5)))
    assert "| 1.00 s | 2.00 s | 0.50 | ≤ 0.5 | met |" in lines
    lines = page.rendered("page.md", results(measure([3], [2], 1.1)))
    assert "| 3.00 s | 2.00 s | 1.50 | ≤ 1.1 | **missed** |" in lines


def test_what_is_no_more_as_it_was_is_said() -> None:
    now, other = measure([115], [100]), measure([1], [1]).model_copy(update={"name": "another"})
    before = results(measure([100], [100]))
    assert list(page.compared([now, other], before)) == [
        "1 of 1 ratios are within 15 % of those before"
    ]
    now = measure([84], [100]).model_copy(update={"pace": 61.2})
    for pace, told in ((53.4, "53.4 ms"), (None, "unknown")):
        before.measures[0].pace = pace
        assert list(page.compared([now], before)) == [
            "a render: 0.84 of a peer, 1.00 before; the fixed work took 61.2 ms, before " + told,
            "0 of 1 ratios are within 15 % of those before",
        ]


def test_a_ratio_of_nothing_repeats_only_as_nothing() -> None:
    nothing, something = measure([0], [1]), measure([0.001], [1])
    assert nothing.repeats(nothing)
    assert not nothing.repeats(something)
    assert not something.repeats(nothing)


def test_the_page_says_how_fast_the_processor_was() -> None:
    found = results(measure([1], [1]), measure([2], [1]), measure([3], [1]))
    assert "fixed piece of work:" not in page.rendered("page.md", found)
    for item, pace in zip(found.measures, (50, 70, 54), strict=True):
        item.pace = pace
    assert "- the fixed piece of work: 54.0 ms (render)\n" in page.rendered("page.md", found)


def test_the_pace_is_of_what_was_timed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Event()
    taken = iter([0.25, 0.75, 0.25])

    def work() -> float:
        value = next(taken, None)
        if value is None:
            done.set()
        return value or 0.5

    monkeypatch.setattr(environment, "_fixed_work", work)
    monkeypatch.setattr(environment.Pace, "EVERY_S", 0.001)
    pace = environment.Pace()
    # What it takes now, then as before: nothing was timed meanwhile.
    assert pace.milliseconds() == pace.milliseconds() == 250
    with pace:
        assert done.wait(60)
        assert pace.milliseconds() == 500
    assert pace.milliseconds() == 500


def test_each_measure_has_the_pace_at_which_it_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(*_: object) -> list[Measure]:
        return [measure([1], [1]), measure([1], [2])]

    def profile(_: Path) -> dict[str, float]:
        return {}

    written: list[Results] = []
    spent = iter([(0, 0), (2, 1)])
    monkeypatch.setattr(bench, "PARTS", {"render": part})
    monkeypatch.setattr(bench.sys, "argv", ["bench", "render"])
    monkeypatch.setattr(environment, "versions", dict)
    monkeypatch.setattr(environment, "_fixed_work", lambda: 0.25)
    monkeypatch.setattr(environment, "processor", lambda: next(spent))
    monkeypatch.setattr(offline, "profile", profile)
    monkeypatch.setattr(page, "write", written.append)
    bench.main()
    assert [item.pace for item in written[0].measures if item.group == "Render"] == [250, 250]


def test_a_part_that_is_taken_again_replaces_all_it_had() -> None:
    found = results(measure([1], [2]), measure([2], [2]))
    idle = measure([5], [2]).model_copy(update={"group": "Idle"})
    found.replace([idle])
    found.replace([measure([3], [2])])
    assert [item.ours for item in found.measures] == [[5], [3]]
    lines = page.rendered("page.md", found)
    assert lines.index("## Render") < lines.index("## Idle")


@pytest.mark.parametrize(("file", "template"), [(page.PAGE, "page.md"), (page.CHART, "chart.svg")])
def test_the_page_is_of_the_figures_beside_it(file: Path, template: str) -> None:
    found = page.read()
    assert found is not None
    assert file.read_text() == page.rendered(template, found)


@pytest.mark.parametrize(
    ("words", "role"),
    [
        ("pulumi up --yes --stack a", "engine"),
        ("/p/.venv/bin/python /p/tools/launchers/../language_host.py 127.0.0.1:1", "program"),
        ("/b/pulumi-language-python --root=/p 127.0.0.1:1", "language host"),
        ("python -u /b/pulumi-language-python-exec --monitor 127.0.0.1:1 /p", "program"),
        ("python -P -m tools.provider 127.0.0.1:1", "plugin"),
        ("/h/.pulumi/plugins/resource-kubernetes/pulumi-resource-kubernetes 1", "plugin"),
        ("grep x", ""),
    ],
)
def test_the_processes_of_an_update_are_told_apart(words: str, role: str) -> None:
    assert scale.role(words) == role


def test_the_engine_s_profile_says_what_its_state_takes() -> None:
    told = """Duration: 9s, Total samples = 10s (99%)
      flat  flat%   sum%        cum   cum%
         0     0%     0%      8.20s 82.00%  {saves}
     0.10s  1.00%  1.00%      5.60s 56.00%  encoding/json.(*Encoder).Encode (inline)
"""
    saves = "github.com/pulumi/pulumi/pkg/v3/backend.(*SnapshotManager).saveSnapshot"
    found = scale.shares(told.format(saves=saves))
    assert found["saving the state"] == 0.82
    assert found["of it, writing JSON"] == 0.56
    assert found["of it, checksums of it"] == 0


def test_the_page_says_what_a_state_consists_of() -> None:
    resources = [{"inputs": "1234", "stackTrace": "1234"}, {"outputs": "1234", "urn": "1234"}]
    found = results(measure([1], [1]))
    found.state = scale.composition({"checkpoint": {"latest": {"resources": resources}}})
    assert found.state == dict.fromkeys(("inputs", "outputs", "stackTrace", "the rest"), 0.25)
    found.scales = [
        Scale(
            instances=100,
            side="ours",
            complete=True,
            preview=1,
            up=2,
            unchanged=None,
            memory={},
            requests={},
            state=1,
        )
    ]
    assert "| stackTrace | 25 % |" in page.rendered("page.md", found)


def test_an_idle_program_keeps_its_interpreter_its_imports_and_its_code() -> None:
    found = results(measure([1], [1]))
    found.programs = profiles.memory()
    assert {"keep-drain", "renew-certificate"} <= found.programs.keys()
    # What others import is no program.
    assert "basics" not in found.programs
    for interpreter, imports, own in found.programs.values():
        assert interpreter > 1
        assert imports > 1
        assert own > 0.1
    drain, certificate = (found.programs[name] for name in ("keep-drain", "renew-certificate"))
    # It speaks TLS.
    assert certificate[1] > drain[1] + 1
    assert f"| keep-drain | {drain[0]:.1f} MiB | {drain[1]:.1f} MiB |" in page.rendered(
        "page.md", found
    )
