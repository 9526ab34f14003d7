"""What the keeper of an app's health promises, run beside an app that hangs."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.parts import script
from components.programs.processes import process, send
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

SERVER = """
import http.server, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[2])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(float((folder / "delay").read_text()))
        self.send_response(int((folder / "code").read_text()))
        self.end_headers()
    def log_message(self, *_):
        pass
def dump(*_):
    print("dump of its own", flush=True)
if "deaf" not in sys.argv:
    signal.signal(signal.SIGUSR1, dump)
if "heeds" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
if "silent" in sys.argv:
    time.sleep(600)
http.server.HTTPServer.allow_reuse_address = True
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

PATIENCE = {
    "SLOW_SECONDS": "1",
    "PROBE_TIMEOUT_SECONDS": "2",
    "FAILURE_THRESHOLD": "2",
    "START_SECONDS": "600",
    "STOP_SECONDS": "2",
    "BACKOFF_SECONDS": "600",
    "RESTART_BUDGET": "3",
    "BUDGET_SECONDS": "3600",
    "DUMP_SIGNAL": "USR1",
    "MAX_DUMPS": "5",
}


class Kept:
    """An app, and what keeps it healthy."""

    def __init__(self, host: Shell, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.name = f"app-{folder.name}-{os.getpid()}"
        self.records, self.dumps = folder / "records", folder / "dumps"
        self.records.mkdir()
        self.dumps.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.answers()

    def answers(self, code: int = 200, delay: float = 0) -> None:
        (self.folder / "code").write_text(str(code))
        (self.folder / "delay").write_text(str(delay))

    def app(self, *how: str) -> subprocess.Popen[str]:
        options = (str(self.port), str(self.folder), self.name, *how)
        return self.host.run(sys.executable, "-c", SERVER, *options)

    def keeper(self, **patience: str) -> subprocess.Popen[str]:
        self.host.env |= {**PATIENCE, **patience}
        return self.host.start(
            "keep-healthy",
            "keeper",
            f"http://127.0.0.1:{self.port}/",
            self.records,
            self.dumps,
            1,
            TARGET=self.name,
        )

    def both(self, *how: str, **patience: str) -> list[subprocess.Popen[str]]:
        """An app that has answered, and its keeper."""
        processes = [self.app(*how), self.keeper(**patience)]
        self.says("healthy: answered in ")
        return processes

    def says(self, text: str, seconds: float = 20) -> None:
        """Wait until the status says so."""
        status = self.records / "status"
        wait_for(lambda: status.exists() and text in status.read_text(), seconds)

    @property
    def dumped(self) -> list[str]:
        return sorted(file.name for file in self.dumps.glob("*.txt"))

    @property
    def restarts(self) -> list[str]:
        file = self.records / "restarts"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def kept(host: Shell, tmp_path: Path) -> Kept:
    return Kept(host, tmp_path)


def test_an_app_that_answers_is_left_alone(kept: Kept) -> None:
    app, keeper = kept.both()
    first = (kept.records / "status").stat().st_mtime
    wait_for(lambda: (kept.records / "status").stat().st_mtime > first + 2)
    assert re.fullmatch(r"healthy: answered in \d+ ms\n", (kept.records / "status").read_text())
    assert log_of(keeper).count("healthy") == 1
    assert (kept.dumped, kept.restarts, app.poll()) == ([], [], None)
    assert log_of(app) == ""


def test_an_app_that_is_slow_is_dumped_once_while_it_is_and_never_restarted(kept: Kept) -> None:
    app, keeper = kept.both(FAILURE_THRESHOLD="1")
    app.send_signal(signal.SIGSTOP)
    wait_for(lambda: kept.dumped)
    app.send_signal(signal.SIGCONT)
    wait_for(lambda: log_of(keeper).count("healthy: ") == 2, 20)
    (name,) = kept.dumped
    assert re.fullmatch(rf"{kept.name}-\d{{8}}T\d{{6}}Z-slow\.txt", name)
    text = (kept.dumps / name).read_text()
    assert text.startswith(f"{kept.name} at ")
    assert f"== process {app.pid}: {sys.executable} -c " in text
    assert "State:\tT (stopped)" in text
    assert re.search(rf"^{app.pid} T \(stopped\) waits in ", text, re.MULTILINE)
    assert "0 -> /dev/" in text or "0 -> pipe:" in text
    assert "Max open files" in text
    assert re.search(rf"^\d+ 0 127\.0\.0\.1:{kept.port} 0\.0\.0\.0:0 LISTEN$", text, re.MULTILINE)
    # The one that it does not answer.
    asked = rf"127\.0\.0\.1:{kept.port} 127\.0\.0\.1:\d+ (ESTABLISHED|CLOSE_WAIT)$"
    assert re.search(asked, text, re.MULTILINE)
    assert f"Dump: {kept.dumps / name}\n" in log_of(keeper)
    assert log_of(app) == "dump of its own\n"
    assert (kept.restarts, app.poll()) == ([], None)


def test_answers_that_stay_slow_are_one_occurrence(kept: Kept) -> None:
    app, _ = kept.both()
    kept.answers(delay=1.2)
    kept.says("slow: answered in ")
    kept.answers()
    kept.says("recovering")
    kept.answers(delay=1.2)
    kept.says("slow: answered in ")
    assert len(kept.dumped) == 1
    kept.answers()
    kept.says("healthy")
    kept.answers(delay=1.2)
    wait_for(lambda: len(kept.dumped) == 2, 20)
    assert (kept.restarts, app.poll()) == ([], None)


def test_an_app_that_answers_with_errors_is_dumped_once_and_ended_by_term(kept: Kept) -> None:
    app, keeper = kept.both("heeds")
    kept.answers(code=503)
    assert app.wait(timeout=20) == 0
    assert [name.rpartition("-")[2] for name in kept.dumped] == ["failed.txt"]
    assert "failing, 1 of 2: no answer: " in log_of(keeper)
    wait_for(lambda: f"Process {app.pid} has ended by TERM" in log_of(keeper))
    kept.says(f"absent: No process {kept.name}")
    # As the kubelet would.
    kept.answers()
    again = kept.app("heeds")
    kept.says("healthy")
    assert len(kept.restarts) == len(kept.dumped) == 1
    assert again.poll() is None


def test_an_app_that_hangs_is_dumped_once_and_ended_by_kill(kept: Kept) -> None:
    app, keeper = kept.both("heeds")
    app.send_signal(signal.SIGSTOP)
    assert app.wait(timeout=30) == -signal.SIGKILL
    wait_for(lambda: f"Process {app.pid} has ended by KILL" in log_of(keeper))
    assert "failing, 1 of 2: no answer within 2 s" in log_of(keeper)
    assert len(kept.restarts) == len(kept.dumped) == 1


def test_an_app_that_never_answered_has_its_time(kept: Kept) -> None:
    app = kept.app("silent")
    keeper = kept.keeper(START_SECONDS="4")
    kept.says("starting: no answer")
    assert (kept.dumped, app.poll()) == ([], None)
    app.wait(timeout=30)
    assert log_of(keeper).index("starting") < log_of(keeper).index("failing, 1 of 2")
    assert len(kept.dumped) == 1


def test_the_first_answer_of_an_app_may_be_slow(kept: Kept) -> None:
    kept.answers(delay=1.2)
    kept.app()
    kept.keeper()
    kept.says("healthy: answered in 1")
    assert kept.dumped == []


def test_restarts_wait_longer_each_time_and_a_recovery_needs_none(kept: Kept) -> None:
    app, keeper = kept.both("heeds")
    kept.answers(code=503)
    app.wait(timeout=20)
    kept.answers()
    again = kept.app("heeds")
    kept.says("healthy")
    kept.answers(code=503)
    kept.says("not restarted: backoff: no answer: ")
    kept.answers()
    kept.says("healthy")
    assert (len(kept.restarts), len(kept.dumped), again.poll()) == (1, 2, None)
    assert "1 restarts in 3600 s, the next one in " in log_of(keeper)


def test_without_a_budget_it_only_reports(kept: Kept) -> None:
    app, keeper = kept.both(RESTART_BUDGET="0")
    kept.answers(code=503)
    kept.says("not restarted: budget: ")
    time.sleep(2)
    assert log_of(keeper).count("not restarted") == 1
    assert (len(kept.dumped), kept.restarts, app.poll()) == (1, [], None)


def test_a_keeper_that_is_killed_in_the_middle_dumps_and_restarts_no_more_than_once(
    kept: Kept,
) -> None:
    app, keeper = kept.both(FAILURE_THRESHOLD="3", STOP_SECONDS="4")
    app.send_signal(signal.SIGSTOP)
    wait_for(lambda: "Dump: " in log_of(keeper), 20)
    keeper.kill()
    keeper.wait()
    second = kept.keeper(FAILURE_THRESHOLD="3", STOP_SECONDS="4")
    wait_for(lambda: "restarting" in log_of(second), 30)
    second.kill()
    second.wait()
    assert app.poll() is None
    third = kept.keeper(FAILURE_THRESHOLD="3", STOP_SECONDS="4")
    app.wait(timeout=20)
    wait_for(lambda: f"Process {app.pid} has ended by KILL" in log_of(third))
    kept.app()
    kept.says("healthy")
    assert len(kept.restarts) == len(kept.dumped) == 1


def test_what_is_known_of_a_process_is_never_taken_for_another_of_its_number(kept: Kept) -> None:
    app = kept.app()
    (kept.records / "process").write_text(f"{app.pid}:1 0 yes 99 {kept.name}-then-slow 0\n")
    (kept.records / "restarts").write_text(f"1 {app.pid}:1\n")
    kept.keeper()
    kept.says("healthy")
    assert (kept.dumped, app.poll()) == ([], None)
    wait_for(lambda: f"{app.pid}:1 " not in (kept.records / "process").read_text())


def test_a_signal_reaches_no_other_process_of_that_number(kept: Kept) -> None:
    app = kept.app()
    known = process(app.pid)
    assert known
    with pytest.raises(ProcessLookupError):
        send(known._replace(start=known.start - 1), signal.SIGKILL)
    assert app.poll() is None
    send(known, signal.SIGKILL)
    assert app.wait(timeout=5) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        send(known, signal.SIGKILL)


def test_what_another_keeper_has_recorded_counts(kept: Kept) -> None:
    """Each writes the same, whatever it is written in."""
    app, keeper = kept.both()
    kept.answers(code=503)
    wait_for(lambda: "failing, 1 of 2" in log_of(keeper))
    keeper.kill()
    keeper.wait()
    start = Path(f"/proc/{app.pid}/stat").read_text().rpartition(")")[2].split()[19]
    which, dumped = f"{app.pid}:{start}", kept.dumped[0].removesuffix(".txt")
    recorded = (kept.records / "process").read_text()
    assert re.fullmatch(rf"{which} \d+ yes 1 {dumped} 0\n", recorded)
    (kept.records / "process").write_text(f"{which} 1000 yes 7 {dumped} 0\n")
    (kept.records / "restarts").write_text("1 7:1\n")
    second = kept.keeper(FAILURE_THRESHOLD="9")
    wait_for(lambda: "failing, 8 of 9: " in log_of(second))
    app.wait(timeout=20)
    assert len(kept.dumped) == 1
    # The other one was too long ago to count.
    assert re.fullmatch(rf"\d+ {which}", "\n".join(kept.restarts))


@pytest.mark.parametrize("text", ["", "\n", "\0", "1 2 3 4 5 6", "7:x 1 yes 0 none 0", "7:1 1 yes"])
def test_records_that_say_nothing_are_none(kept: Kept, text: str) -> None:
    for name in ("process", "restarts", "status"):
        (kept.records / name).write_text(text)
    app, keeper = kept.both()
    said = r"(starting: .*\n)?healthy: answered in \d+ ms\n"
    wait_for(lambda: re.fullmatch(said, log_of(keeper)))
    assert app.poll() is None


def test_records_that_can_not_be_written_cost_records_and_no_more(kept: Kept) -> None:
    app, keeper = kept.both("heeds")
    kept.records.rename(kept.folder / "elsewhere")
    kept.answers(code=503)
    wait_for(lambda: "failing, 1 of 2" in log_of(keeper))
    wait_for(lambda: log_of(keeper).count("cannot publish") > 4, 20)
    # A restart of which nobody would know is none.
    assert (len(kept.dumped), app.poll(), keeper.poll()) == (1, None, None)
    assert "Traceback" not in log_of(keeper)
    (kept.folder / "elsewhere").rename(kept.records)
    assert app.wait(timeout=20) == 0


def test_an_app_whose_pod_is_being_ended_is_left_alone(kept: Kept) -> None:
    app, _ = kept.both()
    (kept.records / "leaving").touch()
    app.send_signal(signal.SIGSTOP)
    kept.says("leaving: ")
    time.sleep(3)
    assert (kept.dumped, kept.restarts, app.poll()) == ([], [], None)


def test_a_keeper_that_starts_again_in_a_pod_that_lives_goes_on(kept: Kept) -> None:
    (kept.records / "leaving").touch()
    kept.both()


def test_an_app_that_would_be_ended_by_the_signal_does_not_get_it(kept: Kept) -> None:
    app, keeper = kept.both("deaf")
    kept.answers(delay=1.2)
    wait_for(lambda: "does not handle SIGUSR1, which would end it: not sent" in log_of(keeper), 20)
    assert len(kept.dumped) == 1
    assert app.poll() is None


def test_the_newest_dumps_are_kept_and_half_a_dump_is_none(kept: Kept) -> None:
    for second in range(10, 15):
        (kept.dumps / f"{kept.name}-20000101T0000{second}Z-slow.txt").touch()
    (kept.dumps / f"{kept.name}-20000101T000015Z-slow.txt.new").touch()
    kept.both(MAX_DUMPS="3")
    kept.answers(delay=1.2)
    wait_for(lambda: len(kept.dumped) == 3, 20)
    assert [name.rpartition("Z-")[0][-6:] for name in kept.dumped[:2]] == ["000013", "000014"]
    assert not [*kept.dumps.glob("*.new")]


def test_a_dump_that_can_not_be_written_keeps_nothing_from_its_restart(kept: Kept) -> None:
    app, keeper = kept.both("heeds")
    kept.dumps.rename(kept.folder / "elsewhere")
    kept.answers(code=503)
    app.wait(timeout=20)
    assert "cannot publish" in log_of(keeper)
    kept.dumps.mkdir()


def test_a_dump_has_the_apps_children_and_none_of_its_environment(kept: Kept) -> None:
    child = (
        "import sys, subprocess; subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[2:]])"
    )
    options = (SERVER, str(kept.port), str(kept.folder), "the-child")
    secret = f"known-to-{os.getpid()}"
    parent = kept.host.run(sys.executable, "-c", child, *options, kept.name, PASSWORD=secret)
    kept.keeper()
    kept.says("healthy")
    kept.answers(delay=1.2)
    wait_for(lambda: kept.dumped, 20)
    text = (kept.dumps / kept.dumped[0]).read_text()
    found = re.findall(r"^== process (\d+): ", text, re.MULTILINE)
    assert found[0] == str(parent.pid)
    assert len(found) == 2
    assert secret not in text


def test_term_ends_the_keeper_at_once_also_while_the_app_hangs(kept: Kept) -> None:
    app, keeper = kept.both()
    ends_within_a_second(keeper)
    app.send_signal(signal.SIGSTOP)
    keeper = kept.keeper()
    time.sleep(1.5)
    ends_within_a_second(keeper)


NGINX = """#!/bin/sh
trap 'kill $!; echo ended; exit 0' TERM
sleep 60 &
echo "$@"
wait
"""


def observed(shell: Shell, tmp_path: Path) -> subprocess.Popen[str]:
    """The app's script, beside what stands in for nginx."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nginx").write_text(NGINX)
    (folder / "nginx").chmod(0o755)
    shell.env["PATH"] = f"{folder}{os.pathsep}{shell.env['PATH']}"
    text = script("serve-observed", "main-app", uses=["nginx"])[2]
    process = shell.run(
        "sh", "-c", text.replace("/tmp/", f"{tmp_path}/"), "main-app", "8080", "USR1"
    )
    wait_for(lambda: "nginx.conf" in log_of(process))
    return process


def test_the_app_says_at_the_signal_how_its_processes_are(shell: Shell, tmp_path: Path) -> None:
    process = observed(shell, tmp_path)
    for count in range(1, 4):
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda count=count: log_of(process).count("Dump on USR1") >= 2 * count)
    assert re.search(r"nginx, process \d+, is [SRD] \(", log_of(process))
    assert process.poll() is None
    assert "listen 8080" in (tmp_path / "nginx.conf").read_text()


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_the_app_ends_its_nginx_first(shell: Shell, tmp_path: Path, told: signal.Signals) -> None:
    process = observed(shell, tmp_path)
    ends_within_a_second(process, told)
    assert log_of(process).endswith("ended\n")
