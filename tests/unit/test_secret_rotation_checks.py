"""The checks of secret rotation pass on what it promises, and on nothing less."""

import os
import secrets
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from components.checks import secret_rotation
from components.secret_rotation import KEY, LIVE, SOURCE
from tests.unit.recorder import Object
from tests.unit.shell import Shell, log_of
from tests.unit.simulated import (
    START,
    Line,
    SimulatedPod,
    always,
    looked,
    named,
    refused,
    unchanging,
)

CHECKS = secret_rotation.checks({"token": "no check looks at it"})
APART, STATUS = named(CHECKS, "tokens told apart"), named(CHECKS, "status")
ALONE, TOLD = named(CHECKS, "Secret in the sidecar alone"), named(CHECKS, "value is not told")

TOKEN = secrets.token_hex()
"""Its own in each process that runs tests, since the processes of all are looked at."""

LOGS = {
    "main-app": [Line(START, "a line of nginx")],
    "token-keeper": [Line(START, f"line {number} of the sidecar") for number in range(500)],
}


def test_tokens_that_are_told_apart_pass() -> None:
    assert "200 with the Secret's token" in looked(APART, answer=always("200 401 401\n"))


@pytest.mark.parametrize("seen", ["401 401 401", "200 200 401", "200 401 200", "", "502 502 502"])
def test_other_answers_fail(seen: str) -> None:
    assert refused(APART, answer=always(f"{seen}\n")).endswith(f"are answered by {seen}")


def test_what_asks_shows_the_secrets_token_none_and_another(host: Shell, tmp_path: Path) -> None:
    (tmp_path / KEY).write_text(f"{TOKEN}\n")
    shown: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_response(200 if shown[-1] == f"Bearer {TOKEN}" else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    def answer(_container: str, command: str, _now: float) -> str:
        assert TOKEN not in command
        process = host.run("sh", "-c", command.replace(SOURCE, str(tmp_path)))
        process.wait()
        return log_of(process)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        args: Any = {"token": TOKEN, "port": server.server_port}
        apart = named(secret_rotation.checks(args), "tokens told apart")
        assert "200 with the Secret's token" in looked(apart, answer=answer)
        server.shutdown()
    assert shown == [f"Bearer {TOKEN}", None, f"Bearer {TOKEN}x"]
    assert "Connection refused" in refused(apart, answer=answer)


def test_a_token_may_take_a_moment_to_be_accepted_everywhere() -> None:
    def answer(_container: str, _command: str, now: float) -> str:
        return "200 401 401\n" if now > 115 else "401 401 401\n"

    assert looked(APART, answer=answer)


def test_what_the_sidecar_says_is_what_is_shown() -> None:
    status = "accepting the token of 2026-11-25T01:10:16Z; a former one until 2026-11-25T01:10:56Z"
    assert looked(STATUS, answer=always(f"{status}\n")) == status
    reason = "the token in the Secret is missing or empty; accepting the token of 2026"
    assert reason in refused(STATUS, answer=always(f"{reason}\n"))


def manifest(*mounted_by: str, **spec: Any) -> Callable[[float], Object]:
    mount = {"name": "token", "mountPath": "/etc/token"}
    containers = [
        {"name": name, "volumeMounts": [mount] if name in mounted_by else []}
        for name in ("token-keeper", "main-app")
    ]
    volumes: list[Object] = [{"name": "token", "secret": {}}, {"name": "live", "emptyDir": {}}]
    return unchanging({"spec": {"containers": containers, "volumes": volumes, **spec}})


def test_a_secret_in_the_sidecar_alone_passes() -> None:
    answer = always("ls: /etc/token: No such file or directory\nlooked\n")
    assert looked(ALONE, manifest=manifest("token-keeper"), answer=answer)


@pytest.mark.parametrize(
    ("pod", "answer", "seen"),
    [
        (manifest("token-keeper", "main-app"), "looked\n", "by token-keeper, main-app"),
        (manifest(), "looked\n", "mounted by nobody"),
        (
            manifest("token-keeper", shareProcessNamespace=True),
            "looked\n",
            "processes are shared",
        ),
        (manifest("token-keeper"), "token\nlooked\n", "main-app has"),
        (manifest("token-keeper"), "sh: ls: not found\n", "main-app has"),
    ],
)
def test_a_secret_elsewhere_fails(pod: Callable[[float], Object], answer: str, seen: str) -> None:
    assert seen in refused(ALONE, manifest=pod, answer=always(answer))


def in_shell(shell: Shell, folder: Path) -> Callable[[str, str, float], str]:
    """Runs what a check runs in a container, with the accepted tokens in this folder."""
    (folder / "tokens").write_text(f"9999999999 now {TOKEN}\n7 then a-former-one-of-these\n")

    def answer(_container: str, command: str, _now: float) -> str:
        process = shell.run("sh", "-c", command.replace(LIVE, str(folder)))
        process.wait()
        return log_of(process)

    return answer


def test_a_value_that_is_told_nowhere_passes(shell: Shell, tmp_path: Path) -> None:
    # One of the app's, and 11 kB of the sidecar's.
    seen = looked(TOLD, logs=LOGS, answer=in_shell(shell, tmp_path))
    assert seen == "in none of their processes, in none of 4 pieces of their logs"


@pytest.mark.parametrize("container", LOGS)
def test_a_value_in_a_log_fails(shell: Shell, tmp_path: Path, container: str) -> None:
    told = Line(START, "401 for a-former-one-of-these, it says")
    logs = {**LOGS, container: [*LOGS[container], told]}
    seen = refused(TOLD, logs=logs, answer=in_shell(shell, tmp_path))
    assert seen == f"it is in the log of {container}"


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_value_that_a_process_shows_fails(shell: Shell, tmp_path: Path, how: str) -> None:
    words = ["tail", "-f", "/dev/null", *([f"/dev/{TOKEN}"] if how == "argument" else [])]
    environment = {**os.environ, **({"KEY": TOKEN} if how == "environment" else {})}
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            seen = refused(TOLD, logs=LOGS, answer=in_shell(shell, tmp_path))
        finally:
            process.kill()
    assert seen == "a process of main-app has it as argument or environment"


def test_a_pod_that_can_compare_nothing_fails() -> None:
    for answer in ("", "sh: can't open /etc/nginx/live/tokens\n"):
        assert "can't compare its tokens" in refused(TOLD, logs=LOGS, answer=always(answer))


def test_no_check_takes_a_value_out_of_the_pod_or_into_an_argument(
    shell: Shell, tmp_path: Path
) -> None:
    answer = in_shell(shell, tmp_path)
    talk: list[str] = []

    def overheard(container: str, command: str, now: float) -> str:
        talk.extend([command, answer(container, command, now)])
        return talk[-1]

    TOLD.look(SimulatedPod(TOLD.within, logs=LOGS, answer=overheard))
    assert talk
    assert TOKEN not in "".join(talk)
