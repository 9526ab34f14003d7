"""A token changes under a running nginx: nobody is refused meanwhile, and nobody sees it."""

import json
import re
import secrets
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest
import yaml

from components.checks import SYNC
from components.checks.secret_rotation import ACCEPTED
from components.secret_rotation import LIVE
from tests.cluster import load
from tests.cluster.clients import clients
from tests.cluster.faults import Process, in_network, kill, processes, within
from tests.cluster.project import Cluster, Project, is_ready, restarts
from tools import engine
from tools.render import render, to_yaml

pytestmark = pytest.mark.xdist_group("secret-rotation")

DEMO = "secret-rotation"
KEY = f"sidecar-powers:demos.{DEMO}.token"
OVERLAP = 30
REQUESTS, ROTATIONS = 10_000, 3
PACE = "0.02"
"""Seconds between two requests of a client: they ask for minutes, and others need the machine."""


def configured(project: Project, token: str) -> None:
    """Let the stack's file have another token, encrypted by the CLI, which reads it from a pipe."""
    command = ["pulumi", "config", "set", "--secret", "--path", KEY, "--stack", project.stack]
    subprocess.run(command, cwd=project.folder, env=project.env, input=token, text=True, check=True)
    project.config = yaml.safe_load(project.file.read_text())["config"]


def status(cluster: Cluster, project: Project) -> str:
    return cluster.run(project.namespace, DEMO, "token-keeper", f"cat {LIVE}/status").strip()


def rotated(cluster: Cluster, project: Project, token: str) -> str:
    """Rotate by `pulumi up`, wait until the new token is accepted, and return what up printed."""
    before = status(cluster, project).partition(";")[0]
    configured(project, token)
    printed = project.up("--diff")
    cluster.hurry(project.namespace)

    def accepted() -> bool:
        now = status(cluster, project)
        return now.startswith("accepting ") and now.partition(";")[0] != before

    within(SYNC + ACCEPTED, accepted)
    return printed


def over(cluster: Cluster, project: Project) -> None:
    """Wait until no former token is accepted any more."""
    within(OVERLAP + ACCEPTED, lambda: "former" not in status(cluster, project))


def former_ends(cluster: Cluster, project: Project) -> float:
    """Until when the former token is accepted, in seconds since 1970."""
    said = re.search(r"a former one until ([^ ;]+)", status(cluster, project))
    assert said
    return datetime.fromisoformat(said[1]).timestamp()


def answer(process: Process, token: str) -> str:
    """The status code of nginx's answer to somebody who shows a token."""
    ask = ["curl", "--silent", "--config", "-", "--output", "/dev/null"]
    command = in_network(process, *ask, "--write-out", "%{http_code}", "http://127.0.0.1:8080/")
    header = f'header = "Authorization: Bearer {token}"'
    done = subprocess.run(command, input=header, capture_output=True, text=True, check=True)
    return done.stdout


def assert_told_nowhere(tokens: Iterable[str], texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert text, name
        for token in tokens:
            for written in (token, b64encode(token.encode()).decode().rstrip("=")):
                assert written not in text, name


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture(scope="module")
def pod(local_cluster: Cluster, project: Project, token: str) -> Any:
    """The pod, which must stay the same one throughout."""
    project.configure(demos={DEMO: {"overlapSeconds": OVERLAP}})
    configured(project, token)
    project.up()
    return local_cluster.pod(project.namespace, DEMO)


def test_a_token_that_pulumi_rotates_is_accepted_and_the_former_one_ends_and_neither_is_told(
    local_cluster: Cluster, project: Project, pod: Any, token: str
) -> None:
    app, second = processes(pod)["main-app"], secrets.token_urlsafe(24)
    assert answer(app, token) == "200"
    configured(project, second)
    changed = [change.operation for change in project.previewed().values()]
    assert changed == ["update"]
    preview = project.pulumi("preview", "--diff").output
    up = rotated(local_cluster, project, second)
    assert [answer(app, shown) for shown in (second, token, second.swapcase())] == [
        *("200", "200", "401")
    ]
    project.verify()
    over(local_cluster, project)
    assert [answer(app, shown) for shown in (second, token)] == ["200", "401"]
    found = local_cluster.pod(project.namespace, DEMO)
    assert (found.metadata.uid, restarts(found)) == (pod.metadata.uid, 0)
    manifests = [to_yaml(item.object) for item in render(engine.LOCAL, config=project.config)]
    ciphertext: str = project.config["sidecar-powers:demos"][DEMO]["token"]["secure"]
    assert ciphertext not in "".join(manifests)
    where = project.namespace, DEMO
    deployment = local_cluster.apps.read_namespaced_deployment(f"{DEMO}-demo", where[0])
    files = [file for file in (project.folder / "state").rglob("*") if file.is_file()]
    assert_told_nowhere(
        (token, second),
        {
            "preview": preview,
            "up": up,
            "outputs": json.dumps(project.outputs()),
            "state": project.pulumi("stack", "export").output,
            "files of the state": "".join(file.read_text(errors="replace") for file in files),
            "rendered": "".join(manifests),
            "Deployment": deployment.to_str(),
            "Pod": found.to_str(),
            "events": local_cluster.core.list_namespaced_event(where[0]).to_str(),
            "log of the sidecar": local_cluster.log(*where, "token-keeper"),
            "log of nginx": f"log: {local_cluster.log(*where, 'main-app')}",
        },
    )


@pytest.mark.long
def test_three_rotations_refuse_none_of_ten_thousand_requests(
    local_cluster: Cluster,
    project: Project,
    pod: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app, old = processes(pod)["main-app"], secrets.token_urlsafe(24)
    rotated(local_cluster, project, old)
    times: list[float] = []
    with clients(app, load, 8080, PACE) as asking:
        asking.tell(old)
        for _ in range(ROTATIONS):
            new, started = secrets.token_urlsafe(24), time.monotonic()
            rotated(local_cluster, project, new)
            times.append(time.monotonic() - started)
            # For most of the overlap some clients have the new one already, and others not.
            asking.tell(old, new)
            left = former_ends(local_cluster, project) - time.time()
            assert left > 5, "seen too late to show the former token to anybody"
            time.sleep(left - 5)
            asking.tell(new)
            over(local_cluster, project)
            assert answer(app, old) == "401"
            old = new
        seen = asking.end()
    answers: dict[str, int] = seen["answers"]
    with capsys.disabled():
        longest = max(times)
        print(f"\n{sum(answers.values())} requests, {longest:.0f} s at most from up to accepted")
    assert seen["failures"] == []
    assert [answer.partition(" ")[0] for answer in answers] == ["200"], seen["first"]
    assert sum(answers.values()) >= REQUESTS
    assert restarts(local_cluster.pod(project.namespace, DEMO)) == restarts(pod)


@pytest.mark.long
def test_a_sidecar_that_is_killed_in_the_overlap_knows_the_former_token_and_its_end(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    old, new = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    rotated(local_cluster, project, old)
    over(local_cluster, project)
    rotated(local_cluster, project, new)
    said = status(local_cluster, project)
    before = processes(local_cluster.pod(project.namespace, DEMO))
    kill(before["token-keeper"])

    def again() -> bool:
        now = processes(local_cluster.pod(project.namespace, DEMO))
        return now.get("token-keeper", before["token-keeper"]) != before["token-keeper"]

    within(30, again)
    assert status(local_cluster, project) == said
    app = processes(local_cluster.pod(project.namespace, DEMO))["main-app"]
    assert app == before["main-app"]
    assert [answer(app, shown) for shown in (old, new)] == ["200", "200"]
    over(local_cluster, project)
    assert [answer(app, shown) for shown in (old, new)] == ["401", "200"]
    assert pod.metadata.uid == local_cluster.pod(project.namespace, DEMO).metadata.uid


@pytest.mark.long
def test_an_nginx_that_is_killed_in_the_overlap_accepts_both(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    old, new = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    rotated(local_cluster, project, old)
    rotated(local_cluster, project, new)
    before = processes(local_cluster.pod(project.namespace, DEMO))
    kill(before["main-app"])

    def again() -> Process | None:
        found = local_cluster.pod(project.namespace, DEMO)
        now = processes(found).get("main-app")
        return now if is_ready(found) and now != before["main-app"] else None

    app: Process = within(60, again)
    assert [answer(app, shown) for shown in (old, new)] == ["200", "200"]
    over(local_cluster, project)
    project.verify()
    assert pod


@pytest.mark.long
def test_a_secret_without_a_token_is_told_and_changes_nothing(
    local_cluster: Cluster, project: Project, pod: Any
) -> None:
    good, bad = secrets.token_urlsafe(24), 'no token"; return 200; #'
    rotated(local_cluster, project, good)

    def patched(value: str, until: Callable[[str], bool]) -> None:
        body = {"stringData": {"token": value}}
        local_cluster.core.patch_namespaced_secret(f"{DEMO}-demo", project.namespace, body)
        local_cluster.hurry(project.namespace)
        within(SYNC, lambda: until(status(local_cluster, project)))

    patched(bad, lambda said: said.startswith("the token in the Secret has characters"))
    found = local_cluster.pod(project.namespace, DEMO)
    assert is_ready(found)
    app = processes(found)["main-app"]
    assert [answer(app, shown) for shown in (good, "no token")] == ["200", "401"]
    failed = {result.check: result.seen for result in project.verified() if not result.passed}
    assert failed.keys() == {"tokens told apart", "status"}
    assert bad not in "".join(failed.values())
    assert bad not in local_cluster.log(project.namespace, DEMO, "token-keeper")
    patched(good, lambda said: said.startswith("accepting "))
    project.verify()
    assert pod.metadata.uid == found.metadata.uid
