"""What the containers' scripts promise, run for real under each shell an image may have."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.parts import script
from tests.unit.api_server import ApiServer
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for
from tools.paths import ROOT

WEEKDAY = r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ .*20\d\d"


def test_a_reader_never_sees_a_part_of_a_page(shell: Shell, tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    process = shell.start("publish-page", "sidecar", page, "0.01")
    wait_for(page.exists)
    seen = {page.read_text() for _ in range(3000)}
    wait_for(lambda: page.read_text() not in seen)
    assert all(re.fullmatch(f"{WEEKDAY}\n", text) for text in seen), seen
    assert process.poll() is None


def test_large_texts_are_published_whole(shell: Shell, tmp_path: Path) -> None:
    common = script("publish-page", "x")[2].partition("while :; do")[0]
    both = {letter * 500_000 for letter in "ab"}
    for text in both:
        (tmp_path / text[0]).write_text(text)
    page = tmp_path / "page"
    loop = f"{common}\nwhile :; do publish {page} <{tmp_path}/a; publish {page} <{tmp_path}/b; done"
    shell.run("sh", "-c", loop)
    wait_for(page.exists)
    seen: set[str] = set()

    def seen_both() -> bool:
        seen.add(page.read_text())
        return seen >= both

    wait_for(seen_both)
    seen |= {page.read_text() for _ in range(300)}
    assert seen == both


def test_a_page_that_cannot_be_published_is_said_and_tried_again(
    shell: Shell, tmp_path: Path
) -> None:
    folder = tmp_path / "later"
    process = shell.start("publish-page", "sidecar", folder / "index.html", "0.05")
    wait_for(lambda: "cannot publish" in log_of(process))
    folder.mkdir()
    wait_for((folder / "index.html").exists)


def test_the_initial_configuration_is_written_once(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "config.ini"
    assert shell.start("write-config", "init", file, "Initial config").wait(timeout=5) == 0
    assert file.read_text() == "Initial config\n"
    assert not (tmp_path / "config.ini.new").exists()


def test_an_initial_configuration_that_cannot_be_written_fails(
    shell: Shell, tmp_path: Path
) -> None:
    process = shell.start("write-config", "init", tmp_path / "no" / "config.ini", "text")
    assert process.wait(timeout=5) != 0
    assert "cannot publish" in log_of(process)


def test_the_updater_waits_one_interval_before_its_first_rewrite(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "config.ini"
    file.write_text("Initial config\n")
    started = time.monotonic()
    shell.start("write-config", "updater", file, "Updated config", "1")
    wait_for(lambda: file.read_text() != "Initial config\n")
    assert time.monotonic() - started >= 1
    assert re.fullmatch(f"Updated config {WEEKDAY}\n", file.read_text())


def test_the_app_answers_every_signal_and_keeps_its_pace(shell: Shell) -> None:
    process = shell.start("signal-app", "main-app", "Got it", "1")
    wait_for(lambda: re.search(WEEKDAY, log_of(process)))
    started = time.monotonic()
    for count in range(1, 5):
        process.send_signal(signal.SIGHUP)
        wait_for(lambda count=count: log_of(process).count("Got it") == count, 0.5)
    dates = len(re.findall(WEEKDAY, log_of(process)))
    assert dates <= 1 + (time.monotonic() - started) / 1 + 1
    wait_for(lambda: len(re.findall(WEEKDAY, log_of(process))) > dates, 2)


def sender_of(
    shell: Shell, interval: str, target: str, user: int | None = None
) -> subprocess.Popen[str]:
    return shell.start(
        "send-signal", "sender", interval, uses=["handled", "target"], user=user, TARGET=target
    )


def test_the_sender_signals_the_app_and_nothing_that_looks_like_it(shell: Shell) -> None:
    others = [
        shell.run("sh", "-c", "sleep 60; : main-app", "not-main-app", "main-app-2"),
        shell.run("sleep", "60"),
    ]
    app = shell.start("signal-app", "main-app-1", "Got it", "60")
    sender = sender_of(shell, "0.1", target="main-app-1")
    wait_for(lambda: log_of(app).count("Got it") >= 2)
    assert "Sending SIGHUP to main process..." in log_of(sender)
    assert [process.poll() for process in [*others, app, sender]] == [None] * 4


def test_the_sender_finds_an_app_that_was_started_again(shell: Shell) -> None:
    app = shell.start("signal-app", "anew", "Got it", "60")
    sender = sender_of(shell, "0.1", target="anew")
    wait_for(lambda: "Got it" in log_of(app))
    app.kill()
    app.wait()
    wait_for(lambda: "No process anew to signal" in log_of(sender))
    again = shell.start("signal-app", "anew", "Got it again", "60")
    wait_for(lambda: "Got it again" in log_of(again))


def test_the_sender_passes_over_subshells_of_the_app(shell: Shell) -> None:
    app = shell.run(
        "sh", "-c", "trap 'echo one' HUP; (while :; do sleep 0.1; done) & wait; wait", "app-2"
    )
    sender = sender_of(shell, "0.1", target="app-2")
    wait_for(lambda: "one" in log_of(app))
    assert "Several" not in log_of(sender)


def test_the_sender_says_when_there_is_no_target(shell: Shell) -> None:
    sender = sender_of(shell, "0.1", target="nobody-there")
    wait_for(lambda: log_of(sender).count("No process nobody-there to signal") > 1)


def test_the_sender_signals_none_of_several(shell: Shell) -> None:
    apps = [shell.start("signal-app", "twin", "Got it", "60") for _ in range(2)]
    wait_for(lambda: all("Starting" in log_of(app) for app in apps))
    sender = sender_of(shell, "60", target="twin")
    wait_for(lambda: "Several processes twin, none is signalled" in log_of(sender))
    assert "Got it" not in log_of(apps[0]) + log_of(apps[1])


def test_an_app_with_the_name_twice_among_its_arguments_is_one(shell: Shell) -> None:
    app = shell.start("signal-app", "same", "same", "60")
    sender_of(shell, "0.1", target="same")
    wait_for(lambda: "same" in log_of(app))


def test_an_app_that_does_not_handle_the_signal_yet_is_not_ended(shell: Shell) -> None:
    app = shell.run("sh", "-c", "sleep 60; : it", "unprepared")
    sender = sender_of(shell, "0.1", target="unprepared")
    wait_for(lambda: "does not handle SIGHUP" in log_of(sender))
    assert app.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as another user")
def test_the_sender_says_when_it_may_not_signal(shell: Shell) -> None:
    app = shell.start("signal-app", "forbidden", "Got it", "60")
    wait_for(lambda: "Starting" in log_of(app))
    sender = sender_of(shell, "0.1", user=65534, target="forbidden")
    wait_for(lambda: log_of(sender).count("Cannot signal forbidden:") > 1)
    assert "ermi" in log_of(sender), "names the missing permission"
    assert "Got it" not in log_of(app)


def test_the_app_prints_each_new_version(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "version"
    file.write_text("1.0.0")
    app = shell.start("print-version", "app", file, "0.05")
    wait_for(lambda: "APP_VERSION=1.0.0\n" in log_of(app))
    file.write_text("2")
    wait_for(lambda: "APP_VERSION=2\n" in log_of(app))


def labeler(shell: Shell, server: ApiServer, interval: str = "1") -> subprocess.Popen[str]:
    return shell.start(
        "label-pod",
        "version-updater",
        "version",
        interval,
        server.credentials,
        uses=["api"],
        KUBERNETES_SERVICE_HOST="127.0.0.1",
        KUBERNETES_SERVICE_PORT=str(server.port),
        POD_NAME="me",
        POD_NAMESPACE="here",
    )


def test_the_labeler_patches_the_label_of_its_own_pod(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        process = labeler(shell, server)
        wait_for(lambda: server.requests)
        request = server.requests[0]
        assert request.line == "PATCH /api/v1/namespaces/here/pods/me"
        assert request.headers["Content-Type"] == "application/merge-patch+json"
        assert request.headers["Authorization"] == "Bearer token-1"
        patch = request.body["metadata"]["labels"]
        assert request.body == {"metadata": {"labels": patch}}
        assert re.fullmatch(r"\d\d-\d\d-\d\d", patch["version"])
        assert f"Updating version to {patch['version']}" in log_of(process)


def test_the_labeler_reads_its_token_again_for_each_request(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        labeler(shell, server)
        wait_for(lambda: server.requests)
        (server.credentials / "token").write_text("token-2")
        wait_for(lambda: server.requests[-1].headers["Authorization"] == "Bearer token-2")


def test_the_labeler_logs_a_refusal_and_goes_on(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        server.answers = [(403, "pods is forbidden"), (422, "not your pod")]
        process = labeler(shell, server)
        wait_for(lambda: len(server.requests) >= 3)
        assert "pods is forbidden" in log_of(process)
        assert "not your pod" in log_of(process)
        assert "Trying again in 1 s" in log_of(process)
        assert process.poll() is None


def test_the_labeler_waits_longer_each_time_the_server_is_away(
    shell: Shell, tmp_path: Path
) -> None:
    with ApiServer(tmp_path) as server:
        server.stop()
        process = labeler(shell, server, interval="2")
        wait_for(lambda: "Trying again in 2 s" in log_of(process), 5)
        assert "Trying again in 1 s" in log_of(process)
        assert "curl: (7)" in log_of(process)
        server.start()
        wait_for(lambda: server.requests, 5)
        assert process.poll() is None


def test_no_command_line_shows_the_token(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        server.delay = 60
        process = labeler(shell, server)
        wait_for(lambda: server.requests)
        lines = b""
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if os.getsid(int(file.parent.name)) == process.pid:
                    lines += file.read_bytes()
            except (OSError, ProcessLookupError):
                continue
        assert b"curl" in lines
        assert b"token-1" not in lines


def test_the_labeler_trusts_no_other_server(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        other = tmp_path / "other"
        other.mkdir()
        with ApiServer(other) as stranger:
            shutil.copy(stranger.credentials / "ca.crt", server.credentials / "ca.crt")
        process = labeler(shell, server)
        wait_for(lambda: "curl: (60)" in log_of(process))
        assert server.requests == []


def test_the_monitor_lists_processes(shell: Shell) -> None:
    process = shell.start("monitor", "monitor", "0.1")
    wait_for(lambda: re.search(f"---{WEEKDAY}---", log_of(process)) and "PID" in log_of(process))


def test_the_load_generator_keeps_its_workers_busy(shell: Shell) -> None:
    process = shell.start("generate-load", "load", 3)

    def workers() -> int:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        names = [Path(f"/proc/{child}/comm") for child in children]
        return sum(name.exists() and name.read_text() == "dd\n" for name in names)

    wait_for(lambda: workers() == 3)


def test_the_app_of_debug_holds_its_file_and_keeps_its_pace(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "held"
    process = shell.start("hold-file", "main-app", file, 1)
    wait_for(lambda: len(re.findall(WEEKDAY, log_of(process))) >= 2)
    held = [link.readlink() for link in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert file in held
    assert re.fullmatch(f"Held open since {WEEKDAY}\n", file.read_text())


SCRIPTS = sorted(path.stem for path in (ROOT / "components" / "scripts").glob("*.sh"))
SHARED = ["watch", "handled", "target", "nginx", "api"]
"""What scripts use, beside what all of them do."""


@pytest.mark.parametrize("name", sorted({*SCRIPTS} - {"common", *SHARED}))
def test_shellcheck_has_nothing_to_say_of_a_script(name: str) -> None:
    command = [Path(sys.executable).with_name("shellcheck"), "--shell=sh", "-"]
    text = script(name, "container", uses=SHARED)[2]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_kubernetes_leaves_a_script_as_it_is(name: str) -> None:
    """It makes one dollar sign of two in a container's command.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    assert "$$" not in (ROOT / "components" / "scripts" / f"{name}.sh").read_text()


LOOPS: dict[str, list[object]] = {
    "publish-page": ["{tmp}/page", 60],
    "write-config": ["{tmp}/config.ini", "text", 60],
    "print-config": ["{tmp}/file", 60],
    "print-version": ["{tmp}/file", 60],
    "signal-app": ["Got it", 60],
    "send-signal": [60],
    "monitor": [60],
    "generate-load": [2],
    "alternate-load": [60],
    "hold-file": ["{tmp}/held", 60],
}


@pytest.mark.parametrize("name", LOOPS)
def test_term_ends_a_script_within_a_second(shell: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("text\n")
    args = [str(arg).format(tmp=tmp_path) for arg in LOOPS[name]]
    process = shell.start(name, "container", *args, uses=["handled", "target"], TARGET="nobody")
    time.sleep(0.3)
    ends_within_a_second(process)


def test_the_stop_signal_of_nginx_images_ends_a_script_too(shell: Shell) -> None:
    process = shell.start("signal-app", "container", "Got it", 60)
    time.sleep(0.3)
    ends_within_a_second(process, signal.SIGQUIT)


def test_term_ends_the_labeler_in_the_middle_of_a_request(shell: Shell, tmp_path: Path) -> None:
    with ApiServer(tmp_path) as server:
        server.delay = 60
        process = labeler(shell, server)
        wait_for(lambda: server.requests)
        ends_within_a_second(process)
