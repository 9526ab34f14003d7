"""What happens to an app's lines while files are rotated and processes are killed, for real."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.log_processing import MASKED_KEYS, names_pattern
from components.parts import program
from components.programs import process_log
from components.programs.processes import status
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for


class Pod:
    """The directories of a pod, and the instances of its sidecar, one after another."""

    def __init__(self, shell: Shell, folder: Path, output: Path) -> None:
        self.shell, self.state, self.output = shell, folder / "state", output
        self.state.mkdir()
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.log = self.logs / "app.log"
        self.app_name = f"app-of-{folder.name}-{os.getpid()}"
        self.sidecars: list[subprocess.Popen[str]] = []

    def app(self, interval: float = 60) -> subprocess.Popen[str]:
        return self.shell.start("write-log", self.app_name, self.log, interval)

    def runs(self, *command: str) -> subprocess.Popen[str]:
        """An app of another kind, under the name by which the sidecar finds it."""
        return self.shell.run("sh", "-c", *command, self.app_name)

    def sidecar(self, max_size: int = 1_000_000) -> subprocess.Popen[str]:
        process = self.shell.start(
            *("process-log", "log-processor", self.log, self.state, self.output, max_size, 1),
            names_pattern(MASKED_KEYS),
            piped=True,
            TARGET=self.app_name,
        )
        self.sidecars.append(process)
        return process

    def append(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)

    @property
    def printed(self) -> list[dict[str, Any]]:
        for sidecar in self.sidecars:
            if sidecar.poll() is not None:
                self.shell.readers[sidecar.pid].wait()
        # The last line may be half written.
        logs = [log_of(sidecar).rpartition("\n")[0].split("\n") for sidecar in self.sidecars]
        return [parsed(line) for log in logs for line in log if line]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [line for line in self.printed if "id" in line]

    @property
    def messages(self) -> list[str]:
        return [record["message"] for record in self.records]

    @property
    def said(self) -> str:
        """What sidecars have said of themselves."""
        return "\n".join(line["message"] for line in self.printed if "sidecar" in line)

    @property
    def place(self) -> list[int]:
        """Generation, position, the end of what was seen, as the last line that is kept says."""
        return [int(word) for word in (self.state / "position").read_text().split()[-4:-1]]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.logs.iterdir())


def parsed(line: str) -> dict[str, Any]:
    try:
        return json.loads(line)
    except ValueError:
        raise AssertionError(f"no JSON: {line!r}") from None


@pytest.fixture
def output() -> Iterator[Path]:
    """A directory in memory, as its volume is."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture
def pod(host: Shell, tmp_path: Path, output: Path) -> Pod:
    return Pod(host, tmp_path, output)


def killed(process: subprocess.Popen[str]) -> None:
    """As a container runtime does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ends_within_seconds(
    process: subprocess.Popen[str], told: signal.Signals = signal.SIGTERM
) -> None:
    """Here it looks for the app among all processes of the machine."""
    process.send_signal(told)
    assert process.wait(timeout=5) == 0


def test_lines_are_printed_as_they_come(pod: Pod) -> None:
    pod.append("first\n")
    pod.sidecar()
    wait_for(lambda: pod.messages == ["first"])
    for number in range(3):
        pod.append(f"line {number} password=x\n")
        wait_for(lambda number=number: pod.messages[-1] == f"line {number} password=***", 3)
    assert len(pod.messages) == 4


def test_a_file_that_comes_later_is_found(pod: Pod) -> None:
    sidecar = pod.sidecar()
    wait_for(lambda: "begins at 1:0" in pod.said)
    pod.append("first\n")
    wait_for(lambda: pod.messages == ["first"])
    assert sidecar.poll() is None


def waits_of(process: subprocess.Popen[str]) -> int:
    """How often it has waited for something."""
    return int(status(process.pid, "voluntary_ctxt_switches"))


def test_a_busy_app_wakes_it_once_an_interval_and_no_process_is_started(pod: Pod) -> None:
    pod.append("first\n")
    sidecar = pod.sidecar()
    wait_for(lambda: pod.messages == ["first"])
    before, end, count = waits_of(sidecar), time.monotonic() + 2, 0
    while time.monotonic() < end:
        count += 1
        pod.append(f"line {count}\n")
        time.sleep(0.005)
    assert count > 100
    assert waits_of(sidecar) - before < 20
    wait_for(lambda: len(pod.messages) == count + 1)
    assert Path(f"/proc/{sidecar.pid}/task/{sidecar.pid}/children").read_text() == ""


def test_an_endless_line_takes_no_memory(pod: Pod) -> None:
    pod.append("x" * 20_000_000)
    sidecar = pod.sidecar(30_000_000)
    wait_for(lambda: pod.records and pod.place[2] == 20_000_000, 20)
    assert int(status(sidecar.pid, "VmHWM").split()[0]) < 20_000
    pod.append("\n")
    wait_for(lambda: "partial" not in pod.records[-1])
    assert sum(map(len, pod.messages)) == 20_000_000


def test_a_line_without_its_end_is_printed_once_it_has_one(pod: Pod) -> None:
    pod.append("first\nhalf")
    pod.sidecar()
    wait_for(lambda: pod.messages == ["first"])
    pod.append(" and half\n")
    wait_for(lambda: pod.messages == ["first", "half and half"])


def test_told_to_end_it_prints_the_rest_first(pod: Pod) -> None:
    # Of more than is rotated, and for good: whoever would open the file anew is gone.
    sidecar = pod.sidecar(1000)
    wait_for(lambda: "begins" in pod.said)
    pod.append("".join(f"line {number}\n" for number in range(3000)) + "the end")
    ends_within_seconds(sidecar)
    assert pod.messages == [*(f"line {number}" for number in range(3000)), "the end"]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_an_idle_sidecar_ends_soon(pod: Pod, told: signal.Signals) -> None:
    pod.append("first\n")
    sidecar = pod.sidecar()
    wait_for(lambda: pod.messages == ["first"])
    ends_within_seconds(sidecar, told)


def test_one_that_has_seen_no_file_ends_soon(pod: Pod) -> None:
    sidecar = pod.sidecar()
    wait_for(lambda: "begins" in pod.said)
    ends_within_seconds(sidecar)


def test_told_to_end_it_goes_on_until_the_app_is_gone(pod: Pod) -> None:
    app = pod.runs(
        f"trap 'sleep 1; echo last words >>{pod.log}; exit' TERM; while :; do sleep 0.1; done"
    )
    sidecar = pod.sidecar()
    pod.append("first\n")
    wait_for(lambda: pod.messages == ["first"])
    # As with classic sidecars, where all are told at once.
    sidecar.terminate()
    app.terminate()
    assert sidecar.wait(timeout=5) == 0
    assert pod.messages == ["first", "last words"]


def test_the_last_lines_of_an_app_that_is_killed_are_printed(pod: Pod) -> None:
    # With a breath between, so that it has not written more than can be printed in a moment.
    lines = "echo line $((n += 1)); [ $((n % 100)) -ne 0 ] || sleep 0.01"
    app = pod.runs(f"n=0; while :; do {lines}; done >>{pod.log}")
    pod.sidecar()
    wait_for(lambda: len(pod.messages) > 10)
    app.kill()
    app.wait()
    written = pod.log.read_text().splitlines()
    wait_for(lambda: pod.messages == written)


def test_a_new_instance_goes_on_where_the_old_one_was_killed(pod: Pod) -> None:
    pod.append("one\ntwo\n")
    sidecar = pod.sidecar()
    wait_for(lambda: pod.messages == ["one", "two"])
    killed(sidecar)
    pod.append("three\n")
    pod.sidecar()
    wait_for(lambda: "three" in pod.messages)
    assert pod.messages == ["one", "two", "three"]


def test_the_app_opens_its_file_anew_and_the_old_one_goes(pod: Pod) -> None:
    app = pod.app(0.05)
    pod.sidecar(1000)
    wait_for(lambda: pod.messages and pod.records[-1]["id"].startswith("4:"), 30)
    app.terminate()
    app.wait()
    wait_for(lambda: "stopped" in pod.messages[-1])
    requests = [message for message in pod.messages if message.startswith("request=")]
    numbers = [int(message.split()[0].partition("=")[2]) for message in requests]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert pod.files() in (["app.log"], [])
    assert "made-up" not in "".join(map(log_of, pod.sidecars))


def test_an_app_that_would_die_of_the_signal_gets_none_and_its_lines_are_printed(pod: Pod) -> None:
    app = pod.runs(f"exec >>{pod.log}; n=0; while sleep 0.02; do echo line $((n += 1)); done")
    pod.sidecar(200)
    wait_for(lambda: "does not open" in pod.said, 20)
    assert app.poll() is None
    assert pod.files() == ["app.log.1"]
    before = len(pod.messages)
    wait_for(lambda: len(pod.messages) > before + 20)
    app.kill()
    app.wait()
    # Started again it opens a new file, and the old one has nobody any more.
    pod.append("again\n")
    wait_for(lambda: "again" in pod.messages)
    numbers = [int(message.split()[1]) for message in pod.messages if message != "again"]
    assert numbers == [*range(1, len(numbers) + 1)]
    assert pod.files() == ["app.log"]


def test_a_child_that_still_writes_to_the_old_file_is_waited_for(pod: Pod) -> None:
    pod.append("".join(f"line {number}\n" for number in range(100)))
    os.mkfifo(pod.state / "go")
    child = pod.shell.run(
        "sh", "-c", f"exec >>{pod.log}; read -r _ <{pod.state}/go; echo late; sleep 0.3; echo later"
    )
    time.sleep(0.3)
    pod.sidecar(200)
    wait_for(lambda: pod.files() == ["app.log.1"])
    pod.append("new\n")
    time.sleep(1)
    assert "new" not in pod.messages
    (pod.state / "go").write_text("\n")
    wait_for(lambda: "new" in pod.messages)
    assert child.wait() == 0
    assert pod.messages[-3:] == ["late", "later", "new"]
    wait_for(lambda: pod.files() == ["app.log"])


def test_who_only_reads_the_old_file_holds_up_nothing(pod: Pod) -> None:
    pod.append("".join(f"line {number}\n" for number in range(100)))
    with pod.log.open():
        pod.sidecar(200)
        wait_for(lambda: pod.files() == [])
    pod.append("new\n")
    wait_for(lambda: pod.messages[-1] == "new")


def test_each_step_of_a_rotation_is_gone_on_from(pod: Pod) -> None:
    """A sidecar that is killed there finds it so."""
    lines = [f"line {number}" for number in range(100)]
    text = "".join(f"{line}\n" for line in lines)
    pod.append(text)
    place = pod.state / "position"
    # Renamed, and nothing else, with half of it printed.
    place.write_text(f"1 {text.index('line 50')} 0 5\n")
    pod.log.rename(pod.logs / "app.log.1")
    pod.append("new\n")
    sidecar = pod.sidecar()
    wait_for(lambda: pod.messages and pod.messages[-1] == "new")
    assert pod.messages == [*lines[50:], "new"]
    assert pod.files() == ["app.log"]
    killed(sidecar)
    # All of it printed, the next generation begun, and the old file still there.
    (pod.logs / "app.log.1").write_text(text)
    assert place.read_text().startswith("2 ")
    pod.append("newer\n")
    pod.sidecar()
    wait_for(lambda: pod.messages[-1] == "newer")
    assert pod.messages[-2:] == ["new", "newer"]
    assert pod.files() == ["app.log"]


def test_a_place_that_was_told_by_halves_counts_for_nothing(pod: Pod) -> None:
    pod.append("one\ntwo\nthree\n")
    (pod.state / "position").write_text("1 4 4 4\n1 8")
    pod.sidecar()
    wait_for(lambda: pod.messages == ["two", "three"])
    assert pod.place == [1, 14, 14]


def test_a_place_that_cannot_be_kept_is_said_and_tried_again(pod: Pod) -> None:
    pod.append("one\n")
    pod.state.rmdir()
    pod.sidecar()
    wait_for(lambda: f"cannot write to {pod.state}" in pod.said)
    assert pod.messages == []
    pod.state.mkdir()
    wait_for(lambda: pod.messages == ["one"])


def test_what_cannot_be_printed_is_said_and_counts_for_nothing(pod: Pod) -> None:
    pod.append("one\n")
    command = program(
        *("process-log", "it", pod.log, pod.state, pod.output, 1000, 1, names_pattern(MASKED_KEYS))
    )
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            command,
            env={**pod.shell.env, "TARGET": "nobody"},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert process.stderr is not None
    said = [json.loads(process.stderr.readline())["message"] for _ in range(3)]
    assert process.poll() is None
    process.kill()
    process.communicate()
    assert said == ["begins at 1:0", *["cannot print: No space left on device"] * 2]
    assert pod.place == [1, 0, 0]


def test_a_file_that_cannot_be_read_is_said_and_read_once_it_can(pod: Pod) -> None:
    pod.log.mkdir()
    sidecar = pod.sidecar()
    wait_for(lambda: "app.log" in pod.said)
    assert sidecar.poll() is None
    pod.log.rmdir()
    pod.append("one\n")
    wait_for(lambda: pod.messages == ["one"])


def takes_the_place_of(file: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(file))
    else:
        target = file.with_name("elsewhere")
        file.symlink_to(target)
        if kind == "link":
            target.write_text("not to be printed\n")


@pytest.mark.parametrize("kind", ["pipe", "directory", "socket", "link", "dangling link"])
def test_what_is_no_file_is_said_once_and_holds_up_nothing(pod: Pod, kind: str) -> None:
    takes_the_place_of(pod.log, kind)
    sidecar = pod.sidecar()
    wait_for(lambda: str(pod.log) in pod.said)
    before = waits_of(sidecar)
    time.sleep(2.2)
    assert waits_of(sidecar) - before < 10
    assert pod.said.count(str(pod.log)) == 1
    ends_within_seconds(sidecar)
    assert pod.said.endswith("ends at 1:0")
    assert pod.messages == []


def test_what_is_no_file_is_said_again_if_it_comes_again(pod: Pod) -> None:
    pod.sidecar()
    for count in (1, 2):
        os.mkfifo(pod.log)
        wait_for(lambda count=count: pod.said.count(str(pod.log)) == count)
        pod.log.unlink()
        pod.append("x" * count + "\n")
        wait_for(lambda count=count: len(pod.messages) == count)
        pod.log.unlink()


@pytest.mark.parametrize("kind", ["pipe", "directory", "link"])
def test_what_was_no_file_when_it_was_renamed_is_left_behind(pod: Pod, kind: str) -> None:
    takes_the_place_of(pod.logs / "app.log.1", kind)
    pod.append("one\n")
    sidecar = pod.sidecar()
    wait_for(lambda: pod.messages == ["one"])
    assert f"{pod.logs / 'app.log.1'} is no file" in pod.said
    assert ("app.log.1" in pod.files()) == (kind == "directory")
    ends_within_seconds(sidecar)


class Passing:
    """Processes that hand a file on to another each, and end before anyone looks at them."""

    def __init__(self, proc: Path, file: Path, rounds: int) -> None:
        self.proc, self.file, self.rounds, self.looks = proc, file, rounds, 0

    def pids(self) -> list[int]:
        self.looks += 1
        last = min(self.looks, self.rounds)
        if last == self.rounds:
            (self.proc / str(last) / "fd").mkdir(parents=True, exist_ok=True)
            writing = self.proc / str(last) / "fd" / "3"
            writing.unlink(missing_ok=True)
            writing.symlink_to(self.file)
        return [1000, last]


@pytest.mark.parametrize("rounds", [1, 2, 5, 1_000_000])
def test_a_file_that_is_handed_on_all_the_time_is_seen_to_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rounds: int
) -> None:
    passing = Passing(tmp_path, tmp_path / "app.log", rounds)
    monkeypatch.setattr(process_log, "PROC", tmp_path)
    monkeypatch.setattr(process_log, "pids", passing.pids)
    assert process_log.written(passing.file)
    assert passing.looks <= 100


def test_a_file_that_nobody_has_open_is_looked_for_no_longer_than_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passing = Passing(tmp_path, tmp_path / "other.log", 2)
    monkeypatch.setattr(process_log, "PROC", tmp_path)
    monkeypatch.setattr(process_log, "pids", passing.pids)
    assert not process_log.written(tmp_path / "app.log")
    assert passing.looks == 3


def test_a_file_that_others_cut_off_is_said_and_read_from_its_beginning(pod: Pod) -> None:
    pod.append("one\ntwo\nthree\n")
    pod.sidecar()
    wait_for(lambda: len(pod.messages) == 3 and pod.place == [1, 14, 14])
    pod.log.write_text("")
    pod.append("new\n")
    wait_for(lambda: pod.messages[-1] == "new")
    assert "became shorter" in pod.said
    ids = [record["id"] for record in pod.records]
    assert len(set(ids)) == len(ids)


def test_a_file_that_others_remove_is_followed_by_a_shorter_one(pod: Pod) -> None:
    pod.append("one, and more\n")
    pod.sidecar()
    wait_for(lambda: pod.messages == ["one, and more"] and pod.place == [1, 14, 14])
    pod.log.unlink()
    pod.append("two\n")
    wait_for(lambda: pod.messages[-1] == "two", 10)


def test_over_kills_and_rotations_no_line_is_lost_or_doubled(pod: Pod) -> None:
    app = pod.runs(
        f"trap 'exec >>{pod.log}' USR1; exec >>{pod.log}; n=0;"
        f"while [ ! -e {pod.state}/enough ]; do n=$((n + 1)); echo line $n of many;"
        " [ $((n % 100)) -ne 0 ] || sleep 0.05; done;"
        "echo end of $n; while :; do sleep 0.1; done"
    )
    kills, generation = 0, 0
    sidecar = pod.sidecar(16384)
    end = time.monotonic() + 120
    while kills < 6 or generation < 4:
        assert time.monotonic() < end, (kills, pod.said)
        # Each gets somewhere, but not always to the same point.
        wait_for(partial(prints_more, sidecar, len(log_of(sidecar))), 30)
        time.sleep(kills % 5 / 10)
        killed(sidecar)
        sidecar = pod.sidecar(16384)
        kills += 1
        generation = int(pod.records[-1]["id"].partition(":")[0]) if pod.records else 0
    (pod.state / "enough").touch()
    wait_for(lambda: pod.messages[-1].startswith("end of "), 30)
    assert app.poll() is None
    *told, last = pod.records
    lines = int(last["message"].split()[2])
    ids = Counter(record["id"] for record in told)
    assert [int(record["message"].split()[1]) for record in told] == [*range(1, lines + 1)]
    assert len(ids) == lines


def prints_more(sidecar: subprocess.Popen[str], before: int) -> bool:
    return len(log_of(sidecar)) > before + 200


def test_the_app_writes_each_line_at_once_and_opens_its_file_anew_when_told(pod: Pod) -> None:
    app = pod.app(0.05)
    wait_for(pod.log.exists)
    wait_for(lambda: "request=3" in pod.log.read_text())
    pod.log.rename(pod.logs / "old")
    app.send_signal(signal.SIGUSR1)
    wait_for(pod.log.exists)
    old = (pod.logs / "old").read_text()
    wait_for(lambda: pod.log.read_text().count("\n") > 2)
    assert (pod.logs / "old").read_text() == old
    both = (old + pod.log.read_text()).splitlines()
    assert all(line.startswith("20") for line in both)
    ends_within_a_second(app)
    assert pod.log.read_text().splitlines()[-1].split()[2] == "stopped"


def test_no_child_of_the_app_keeps_its_file_open(pod: Pod) -> None:
    app = pod.app(60)
    wait_for(lambda: pod.log.exists() and "request=1" in pod.log.read_text())

    def child() -> list[str]:
        return Path(f"/proc/{app.pid}/task/{app.pid}/children").read_text().split()

    wait_for(lambda: child() and Path(f"/proc/{child()[0]}/fd/1").readlink() == Path("/dev/null"))
