"""What the toolbox promises of sessions, run for real, in a /proc of its own."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from components.checks import parse_date
from components.parts import program
from components.programs.processes import status
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

OWN, OTHER, POD = (f"7:cpu:/\n6:pids:/pod/{name}\n" for name in ("toolbox", "app", "pause"))
"""Groups that some containers share come first, as they do on nodes with version 1."""
FILES = "status", "stat", "comm", "cmdline", "fd", "limits"
"""What /proc has of a process, beside its groups."""
ENDING = r"^Ending (.*)$"


class Pod:
    """Processes of this machine as a toolbox would see them: what is in its /proc, and nothing
    else, each in the control groups that it is given here."""

    def __init__(self, host: Shell, folder: Path, age: float) -> None:
        self.host, self.proc, self.tools = host, folder / "proc", folder / "tools"
        self.tools.mkdir()
        self.host.env["PATH"] = f"{self.tools}{os.pathsep}{self.host.env['PATH']}"
        first = self.proc / "1"
        first.mkdir(parents=True)
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        fields = ["S", "0", *["0"] * 17, str(int((uptime - age) * 100)), *["0"] * 30]
        (first / "stat").write_text(f"1 (pause) {' '.join(fields)}\n")
        (first / "status").write_text("Name:\tpause\nState:\tS (sleeping)\nPPid:\t0\n")
        (first / "cgroup").write_text(POD)
        (first / "cmdline").write_bytes(b"/pause\0")
        self.tool("strace", "exit 0")

    def tool(self, name: str, does: str) -> None:
        file = self.tools / name
        file.write_text(f"#!/bin/sh\n{does}\n")
        file.chmod(0o755)

    def toolbox(self, seconds: int, interval: int = 1) -> subprocess.Popen[str]:
        command = program("keep-toolbox", "toolbox", seconds, interval)
        assert command[4].count('Path("/proc")') == 1
        command[4] = command[4].replace('Path("/proc")', f'Path("{self.proc}")')
        # It must find itself there from the beginning.
        first = (
            f"d={self.proc}/$$; mkdir $d && for f in {' '.join(FILES)}; do"
            ' ln -s /proc/$$/$f $d; done && printf %s "$GROUPS_" >$d/cgroup && exec "$@"'
        )
        return self.host.run("sh", "-c", first, "sh", *command, TARGET="main-app", GROUPS_=OWN)

    def add(self, pid: int, groups: str) -> None:
        folder = self.proc / f"new-{pid}"
        folder.mkdir()
        for name in FILES:
            (folder / name).symlink_to(f"/proc/{pid}/{name}")
        (folder / "cgroup").write_text(groups)
        # In one step, as processes come.
        folder.rename(self.proc / str(pid))

    def session(self, *command: str) -> subprocess.Popen[str]:
        process = self.host.run(*(command or ("sleep", "60")))
        self.add(process.pid, OWN)
        return process

    def other(self, *command: str) -> subprocess.Popen[str]:
        process = self.host.run(*(command or ("sleep", "60")))
        self.add(process.pid, OTHER)
        return process


@pytest.fixture
def young(host: Shell, tmp_path: Path) -> Pod:
    """A pod that has just started."""
    return Pod(host, tmp_path, age=0)


@pytest.fixture
def old(host: Shell, tmp_path: Path) -> Pod:
    """A pod past any deadline of these tests."""
    return Pod(host, tmp_path, age=100)


def state(process: subprocess.Popen[str]) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]


def children(process: subprocess.Popen[str]) -> list[int]:
    return [*map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())]


def until(process: subprocess.Popen[str]) -> float:
    """The deadline that the log gives."""
    wait_for(lambda: re.search("^(Open until|Closed since) ", log_of(process), re.MULTILINE))
    found = re.search("^(?:Open until|Closed since) ([^:]*:..:[^:]*):", log_of(process))
    assert found
    date = parse_date(found[1])
    assert date
    return date


def ended(process: subprocess.Popen[str]) -> str:
    found = re.search(ENDING, log_of(process), re.MULTILINE)
    return found[1] if found else ""


def test_sessions_go_on_until_the_deadline_and_no_longer(young: Pod) -> None:
    sessions = [young.session(), young.session("sh", "-c", "sleep 60; :")]
    toolbox = young.toolbox(4)
    wait_for(lambda: "Open until" in log_of(toolbox))
    time.sleep(2)
    assert [session.poll() for session in sessions] == [None, None]
    wait_for(lambda: all(session.poll() is not None for session in sessions))
    assert "Closed since" in log_of(toolbox)
    assert toolbox.poll() is None


def test_the_deadline_counts_from_the_pods_start(old: Pod) -> None:
    assert abs(until(old.toolbox(3600)) - (time.time() + 3500)) <= 2


def test_a_toolbox_that_is_started_again_has_the_same_deadline(young: Pod) -> None:
    first = young.toolbox(60)
    said = until(first)
    time.sleep(2)
    first.kill()
    again = young.toolbox(60)
    assert abs(until(again) - said) <= 1


def test_a_toolbox_that_is_started_again_after_the_deadline_is_closed(old: Pod) -> None:
    session = old.session()
    toolbox = old.toolbox(60)
    wait_for(lambda: session.poll() is not None)
    assert abs(until(toolbox) - (time.time() - 40)) <= 3
    assert "Open" not in log_of(toolbox)


def test_a_session_that_begins_later_ends_within_the_interval(old: Pod) -> None:
    toolbox = old.toolbox(1)
    wait_for(lambda: "Closed since" in log_of(toolbox))
    for _ in range(2):
        session = old.session()
        # One interval, and the two seconds that a round of ending takes.
        wait_for(lambda session=session: session.poll() is not None, 4)
        assert f"Ending sleep ({session.pid})\n" in log_of(toolbox)


@pytest.mark.parametrize(
    ("ignores", "by"), [("HUP TERM", "KILL"), ("TERM", "HUP"), ("HUP", "TERM")], ids=str
)
def test_what_heeds_one_signal_or_none_ends_too(old: Pod, ignores: str, by: str) -> None:
    ready = old.proc.parent / "ready"
    command = f"trap '' {ignores}; touch {ready}; while :; do sleep 60; done"
    session = old.host.run("sh", "-c", command)
    wait_for(ready.exists)
    old.add(session.pid, OWN)
    old.toolbox(1)
    assert session.wait(timeout=5) == -signal.Signals[f"SIG{by}"]


@pytest.mark.parametrize("heeds", ["", "trap '' HUP TERM;"], ids=["heeds", "ignores"])
def test_what_forks_faster_than_it_is_listed_ends_too(old: Pod, heeds: str) -> None:
    """None of its processes lives as long as it takes to tell it and to look again."""
    count = old.proc.parent / "count"
    bomb = f"{heeds} next() {{ echo >>{count}; sleep 0.1; next & }}; next"
    # The first alone is listed.
    leader = old.host.run("sh", "-c", f"{bomb}; sleep 60")
    wait_for(count.exists)
    old.add(leader.pid, OWN)
    old.toolbox(1)
    wait_for(lambda: leader.poll() is not None)
    forked = count.read_text()
    time.sleep(0.5)
    assert count.read_text() == forked


def test_what_begins_while_others_are_ended_has_its_second_too(old: Pod) -> None:
    """A debugger among them has to let go of what it holds."""
    ready = old.proc.parent / "ready"
    stubborn = f"trap '' HUP TERM; touch {ready}; while :; do sleep 60; done"
    first = old.host.run("sh", "-c", stubborn)
    wait_for(ready.exists)
    old.add(first.pid, OWN)
    toolbox = old.toolbox(1)
    wait_for(lambda: ended(toolbox))
    let_go = old.proc.parent / "let-go"
    command = f"trap 'touch {let_go}; exit 0' HUP TERM; sleep 60 & wait"
    later = old.session("sh", "-c", command)
    assert first.wait(timeout=5) == -signal.SIGKILL
    assert later.wait(timeout=5) == 0
    assert let_go.exists()


def test_a_session_that_is_stopped_ends_too(old: Pod) -> None:
    session = old.session()
    session.send_signal(signal.SIGSTOP)
    wait_for(lambda: state(session) == "T")
    old.toolbox(1)
    assert session.wait(timeout=5) < 0


def test_the_app_and_other_containers_are_left_alone(old: Pod) -> None:
    app = old.other("sh", "-c", "sleep 60; :", "main-app")
    sidecar = old.host.run("sleep", "60")
    old.add(sidecar.pid, OWN.replace("toolbox", "toolbox-2"))
    session = old.session()
    old.toolbox(1)
    wait_for(lambda: session.poll() is not None)
    time.sleep(3)
    assert (app.poll(), sidecar.poll()) == (None, None)


def test_the_toolbox_itself_is_no_session_and_starts_nothing(old: Pod) -> None:
    session = old.session()
    toolbox = old.toolbox(1)
    wait_for(lambda: session.poll() is not None)
    assert ended(toolbox) == f"sleep ({session.pid})"
    time.sleep(3)
    assert (toolbox.poll(), children(toolbox)) == (None, [])


def test_the_log_names_what_it_ends_without_arguments(old: Pod) -> None:
    session = old.session("sh", "-c", "sleep 60; : of-nobody-else")
    toolbox = old.toolbox(1)
    wait_for(lambda: session.poll() is not None)
    assert ended(toolbox) == f"sh ({session.pid})"
    assert "of-nobody-else" not in log_of(toolbox)


def test_an_app_that_a_session_has_stopped_goes_on(old: Pod) -> None:
    app = old.other()
    app.send_signal(signal.SIGSTOP)
    wait_for(lambda: state(app) == "T")
    old.session()
    old.toolbox(1)
    wait_for(lambda: state(app) == "S")


def test_without_a_session_nothing_is_continued(old: Pod) -> None:
    app = old.other()
    app.send_signal(signal.SIGSTOP)
    wait_for(lambda: state(app) == "T")
    toolbox = old.toolbox(1)
    wait_for(lambda: "Closed since" in log_of(toolbox))
    time.sleep(2)
    assert state(app) == "T"


def test_where_groups_tell_no_containers_apart_nothing_is_ended(old: Pod) -> None:
    (old.proc / "1" / "cgroup").write_text(OWN)
    app, session = old.session("sh", "-c", "sleep 60; :", "main-app"), old.session()
    toolbox = old.toolbox(1)
    wait_for(lambda: "tell no containers apart here, so no session is ended" in log_of(toolbox))
    time.sleep(1)
    assert (app.poll(), session.poll()) == (None, None)


def test_it_says_what_it_sees_of_the_app_once_it_is_there(young: Pod) -> None:
    toolbox = young.toolbox(60)
    wait_for(lambda: "Tracing" in log_of(toolbox))
    app = young.other("sh", "-c", "exec 3>/dev/null; sleep 60; :", "main-app")
    wait_for(lambda: f"main-app is process {app.pid}" in log_of(toolbox))
    assert re.search("which has 4 files open and may have [0-9]+\n", log_of(toolbox))
    assert log_of(toolbox).count("main-app is process") == 1


def test_an_app_of_another_user_is_said(young: Pod) -> None:
    app = young.other("sh", "-c", "sleep 60; :", "main-app")
    (young.proc / str(app.pid) / "fd").unlink()
    toolbox = young.toolbox(60)
    wait_for(lambda: "another user or is not dumpable: no more is seen" in log_of(toolbox))


def test_it_says_whether_it_may_trace(young: Pod) -> None:
    toolbox = young.toolbox(60)
    wait_for(lambda: "\nTracing: allowed\n" in log_of(toolbox))


@pytest.mark.parametrize(("scope", "said"), [("0", "allowed"), ("1", "refused"), ("3", "refused")])
def test_a_node_that_lets_no_sidecar_trace_is_said(young: Pod, scope: str, said: str) -> None:
    folder = young.proc / "sys" / "kernel" / "yama"
    folder.mkdir(parents=True)
    (folder / "ptrace_scope").write_text(f"{scope}\n")
    toolbox = young.toolbox(60)
    wait_for(lambda: f"Tracing: {said}" in log_of(toolbox))
    assert (f"kernel.yama.ptrace_scope is {scope}" in log_of(toolbox)) == (said == "refused")


def test_a_profile_that_forbids_tracing_is_said_in_its_own_words(young: Pod) -> None:
    young.tool("strace", "echo 'PTRACE_TRACEME: Operation not permitted\nmore' >&2; exit 1")
    toolbox = young.toolbox(60)
    line = "\nTracing: refused, PTRACE_TRACEME: Operation not permitted\n"
    wait_for(lambda: line in log_of(toolbox))


def test_an_image_without_strace_is_said(young: Pod) -> None:
    (young.tools / "strace").unlink()
    for name in ("sh", "mkdir", "ln", "python3"):
        found = shutil.which(name, path=young.host.env["PATH"])
        assert found
        (young.tools / name).symlink_to(found)
    young.host.env["PATH"] = str(young.tools)
    toolbox = young.toolbox(60)
    wait_for(lambda: "Tracing: this image has no strace" in log_of(toolbox))


def test_it_only_waits_until_the_deadline(young: Pod) -> None:
    young.other("sh", "-c", "sleep 60; :", "main-app")
    toolbox = young.toolbox(60)
    wait_for(lambda: "main-app is process" in log_of(toolbox) and state(toolbox) == "S")

    def awoken() -> str:
        return status(toolbox.pid, "voluntary_ctxt_switches")

    before = awoken()
    time.sleep(2)
    assert awoken() == before
    assert children(toolbox) == []


@pytest.mark.parametrize("seconds", [600, 1], ids=["open", "closed"])
def test_term_ends_it_within_a_second(old: Pod, seconds: int) -> None:
    toolbox = old.toolbox(seconds)
    wait_for(lambda: ":" in log_of(toolbox))
    time.sleep(0.3)
    ends_within_a_second(toolbox)
