"""A hundred thousand lines over kills and rotations: each comes out once, the volume is bounded."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.log_processing import LOG, room
from tests.cluster.faults import Process, container_ids, kill, processes, root, watched, within
from tests.cluster.patched import applied, insert
from tests.cluster.printed import Printed
from tests.cluster.project import Cluster, Object, Project, is_ready

pytestmark = pytest.mark.xdist_group("log-processing")

DEMO, SIDECAR = "log-processing", "log-processor"
LINES, ROTATIONS = 100_000, 5
LIVES = [300, 1500, 700, 2500, 1000]
"""Lines after which the sidecar is killed: with and without a rotation, at any moment of it."""
ARGS: Any = {"max_size": "64Ki"}
DRAINED = 90
"""Seconds for what an absent sidecar has missed."""

# Paced, so that it lasts longer than the kubelet's waits between restarts: 10 s, 20 s, 40 s, 80 s.
WRITER = f"""
number=0
while [ $number -lt {LINES} ]; do
  number=$((number + 1))
  echo "line=$number password=made-up-password-$number of a hundred thousand"
  [ $((number % 400)) -ne 0 ] || attend doze 1
done
"""


def records(lines: list[str]) -> list[Object]:
    found = [json.loads(line) for line in lines]
    return [line for line in found if "id" in line]


def messages(lines: list[str]) -> list[str]:
    return [record["message"] for record in records(lines)]


def files(process: Process) -> list[Path]:
    """What the app has written that is still there, as one of the containers sees it."""
    directory = root(process) / LOG.lstrip("/").rpartition("/")[0]
    return sorted(directory.iterdir())


@pytest.fixture(scope="module")
def pod(local_cluster: Cluster, project: Project) -> Any:
    project.configure(demos={DEMO: {"appIntervalSeconds": 1}})
    project.up()
    return local_cluster.pod(project.namespace, DEMO)


def test_an_apps_lines_are_printed_as_json_and_masked(project: Project, pod: Any) -> None:
    assert is_ready(pod)
    project.verify()


@pytest.mark.long
def test_the_last_lines_of_an_app_that_is_killed_are_printed(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    both = processes(local_cluster.pod(project.namespace, DEMO))
    app, sidecar = both["main-app"], both[SIDECAR]
    kill(app)

    def written() -> list[str]:
        text = "".join(path.read_text() for path in files(sidecar))
        before, started, _ = text.rpartition("INFO started\n")
        return [line for line in before.splitlines()[:-1] if "request=" in line] if started else []

    def restarted() -> bool:
        return processes(local_cluster.pod(project.namespace, DEMO)).get("main-app") not in (
            None,
            app,
        )

    within(60, restarted)
    last = within(10, written)[-1].partition("request=")[2].split()[0]

    def printed() -> bool:
        return f"request={last} " in local_cluster.log(project.namespace, DEMO, SIDECAR)

    within(10, printed)
    assert pod.metadata.uid == local_cluster.pod(project.namespace, DEMO).metadata.uid


@pytest.mark.long
@pytest.mark.parametrize("sidecars", ["native", "classic"])
def test_the_last_line_of_a_pod_that_is_deleted_is_printed(
    local_cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    sidecars: str,
) -> None:
    folder = tmp_path_factory.mktemp("deleted")
    project = Project(folder)
    project.configure(demos={DEMO: {"appIntervalSeconds": 1, "sidecars": sidecars}})
    with watched(folder) as events, applied(project):
        found = local_cluster.pod(project.namespace, DEMO)
        keys = container_ids(found)
        with Printed(found, SIDECAR) as printed:
            within(30, lambda: any("request=3 " in text for text in messages(printed.lines)))
            since = time.time()
            local_cluster.core.delete_namespaced_pod(found.metadata.name, project.namespace)

            def ends() -> list[Any]:
                told = [event for event in events.of(*keys.values()) if event.code is not None]
                return told if len(told) == len(keys) else []

            ended = within(30, ends)
        last = messages(printed.lines)[-1]
        with capsys.disabled():
            seconds = max(event.at for event in ended) - since
            print(f"\n{sidecars}: all ended {seconds:.1f} s after the deletion, last: {last}")
        assert last.startswith("stopped after request ")
        assert [event.code for event in ended] == [0, 0]
        assert max(event.at for event in ended) - since <= 10


def writing(_: str, spec: Object) -> None:
    insert(spec, "main-app", "line INFO started", WRITER)


def taken(process: Process) -> int:
    """Bytes in the volume of the app's file."""
    total = 0
    for path in files(process):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


@pytest.mark.long
def test_of_a_hundred_thousand_lines_none_is_lost_or_doubled_over_kills_and_rotations(
    local_cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = Project(tmp_path_factory.mktemp("killed"))
    project.configure(demos={DEMO: {"maxSize": ARGS["max_size"]}})
    with applied(project, writing):
        found = local_cluster.pod(project.namespace, DEMO)
        app = processes(found)["main-app"]
        with Printed(found, SIDECAR) as printed:
            begun, largest = time.monotonic(), 0

            def sidecar() -> Any:
                return processes(local_cluster.pod(project.namespace, DEMO)).get(SIDECAR)

            def grown(than: int) -> Callable[[], bool]:
                return lambda: len(printed.lines) > than

            for life in LIVES:
                # In the midst of its work: it has just printed something, and there is more.
                within(DRAINED, grown(len(printed.lines) + life))
                largest = max(largest, taken(app))
                victim = within(10, sidecar)
                kill(victim)
                within(120, lambda victim=victim: sidecar() not in (None, victim))
                largest = max(largest, taken(app))
            end = f"line={LINES} "
            within(300, lambda: any(end in text for text in printed.lines[-20:]))
            seconds = time.monotonic() - begun
            largest = max(largest, taken(app))
            lines = printed.lines
        now = local_cluster.pod(project.namespace, DEMO)
        assert processes(now)["main-app"] == app
        cut = [line for line in lines if not line.startswith("{") or not line.endswith("}")]
        told = [
            it for it in records([it for it in lines if it not in cut]) if "line=" in it["message"]
        ]
        numbers = Counter(int(it["message"].partition("line=")[2].split()[0]) for it in told)
        ids = Counter(it["id"] for it in told)
        rotations = max(int(it["id"].partition(":")[0]) for it in told) - 1
        doubles = len(told) - len(ids)
        with capsys.disabled():
            print(
                f"\n{LINES} lines in {seconds:.0f} s, {len(LIVES)} kills, {rotations} rotations:"
                f" {LINES - len(numbers)} lost, {doubles} doubled, {len(cut)} cut off;"
                f" the volume had {largest} bytes at most"
            )
        assert numbers.keys() == {*range(1, LINES + 1)}
        assert len(ids) == LINES
        assert doubles == 0
        assert cut == []
        assert rotations >= ROTATIONS
        assert largest < room(ARGS)
        assert "made-up-password" not in "".join(lines)
