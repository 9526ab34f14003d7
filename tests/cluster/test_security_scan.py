"""What nobody published is found in the volume, from a baseline that the app can't reach."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.checks import SYNC
from components.security_scan import CONTENT, VERDICT
from tests.cluster.faults import kill, processes, root, within
from tests.cluster.patched import applied, insert
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("security-scan")

DEMO, HEEDED = "security-scan", "heeded"
INTERVAL, PACE = 5, 10
"""Seconds between two scans, and for a look from outside."""

TOLD = "Received USR2: somebody else has changed my files"
FILES = {"app.conf": "greeting = Hello\n", "index.html": "<h1>Hello</h1>\n"}


class Scanned:
    """The demo on the cluster, and what its scanner says."""

    def __init__(self, cluster: Cluster, project: Project, key: str = DEMO) -> None:
        self.cluster, self.project, self.key = cluster, project, key

    @property
    def pod(self) -> Any:
        return self.cluster.pod(self.project.namespace, self.key)

    def run(self, command: str, container: str = "main-app") -> str:
        return self.cluster.run(self.project.namespace, self.key, container, command)

    def log(self, container: str = "scanner") -> list[str]:
        return self.cluster.log(self.project.namespace, self.key, container).splitlines()

    def status(self) -> str:
        return self.run(f"cat {VERDICT}/status", "scanner").strip()

    def findings(self) -> list[str]:
        return self.run(f"cat {VERDICT}/findings", "scanner").splitlines()

    def clean(self, seconds: float = INTERVAL + PACE) -> None:
        within(seconds, lambda: self.status().startswith("clean") and not self.findings())

    def found(self, beginning: str) -> float:
        """The seconds until there is a finding that begins so, which must be an interval."""
        started = time.monotonic()
        within(
            INTERVAL + PACE,
            lambda: any(line.startswith(beginning) for line in self.findings()),
        )
        return time.monotonic() - started

    def told(self) -> list[str]:
        """What has been said of findings, but for their end and what `verify` plants."""
        words = ("added ", "changed ", "removed ")
        found = [line for line in self.log() if line.startswith(words)]
        return [line for line in found if not line.startswith("added verify.")]


def configured(project: Project, files: dict[str, str]) -> None:
    options = {"intervalSeconds": INTERVAL, "files": files}
    signalled = {**options, "demo": DEMO, "action": "signal", "signal": "USR2"}
    project.configure(demos={DEMO: options, HEEDED: signalled})


@pytest.fixture(scope="module")
def scanned(local_cluster: Cluster, project: Project) -> Scanned:
    configured(project, FILES)
    project.up()
    return Scanned(local_cluster, project)


@pytest.fixture(scope="module")
def heeded(scanned: Scanned) -> Scanned:
    """The same, of the app that is signalled."""
    return Scanned(scanned.cluster, scanned.project, HEEDED)


def test_a_config_map_that_pulumi_updates_is_published_and_no_finding(scanned: Scanned) -> None:
    scanned.clean()
    before = scanned.pod
    configured(scanned.project, {"index.html": "<h1>New</h1>\n", "new.txt": "new\n"})
    changes = scanned.project.changed()
    assert [change.operation for change in changes.values()] == ["update"] * 2
    where = f"ls -A {CONTENT} && cat {CONTENT}/*"
    within(
        SYNC, lambda: scanned.run(where).split() == ["index.html", "new.txt", "<h1>New</h1>", "new"]
    )
    scanned.clean()
    assert scanned.told() == []
    found = scanned.pod
    assert (found.metadata.uid, restarts(found)) == (before.metadata.uid, 0)
    scanned.project.verify()
    configured(scanned.project, FILES)
    scanned.project.up()
    scanned.cluster.hurry(scanned.project.namespace)
    within(SYNC, lambda: "app.conf" in scanned.run(f"ls {CONTENT}"))
    scanned.clean()
    assert scanned.told() == []


RESTORED = f"printf '<h1>Hello</h1>\\n' >{CONTENT}/index.html; chmod 644 {CONTENT}/index.html"
PLANTED = {
    "an addition": ("echo x >x", "rm x", "added x: found file 644 65532:65532 2 bytes,"),
    "other text": ("echo x >index.html", RESTORED, "changed index.html, content: "),
    "a removal": ("rm index.html", RESTORED, "removed index.html: found nothing, allowed file"),
    "a mode": ("chmod 4777 index.html", RESTORED, "changed index.html, mode: found file 4777"),
    "a link": (
        "rm index.html; ln -s /etc/passwd index.html",
        f"rm index.html; {RESTORED}",
        "changed index.html, kind: found link 777",
    ),
    "a second link": ("ln index.html twin", "rm twin", "changed index.html, links: "),
    "a directory": ("mkdir d", "rmdir d", "added d: found directory 2755 "),
    "a pipe": ("mkfifo p", "rm p", "added p: found fifo 644 "),
    "an odd name": ("touch 'a\nadded b'", "rm a?added*", "odd name a?added?b: "),
}


@pytest.mark.long
@pytest.mark.parametrize("what", PLANTED)
def test_what_the_app_does_to_the_files_is_found_within_an_interval(
    scanned: Scanned, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, undo, beginning = PLANTED[what]
    scanned.clean()
    assert scanned.run(f"cd {CONTENT} && {{ {change}; }}") == ""
    try:
        seconds = scanned.found(beginning)
    finally:
        scanned.run(f"cd {CONTENT} && {{ {undo}; }}")
    with capsys.disabled():
        print(f"\n{what}: found within {seconds:.1f} s")
    (line,) = [line for line in scanned.log() if line.startswith(beginning)]
    scanned.clean()
    assert scanned.log().count(f"over: {line}") == 1
    assert is_ready(scanned.pod)


@pytest.mark.long
def test_an_owner_is_found_too(scanned: Scanned) -> None:
    # The app can't do that. Who enters the node can.
    file = root(processes(scanned.pod)["main-app"]) / f"{CONTENT}/index.html".lstrip("/")
    scanned.clean()
    os.chown(file, 0, 0)
    try:
        scanned.found("changed index.html, owner: found file 644 0:0 ")
    finally:
        os.chown(file, 65532, 65532)
    scanned.clean()


OUT_OF_REACH = [
    "echo x >/baseline/known",
    "echo x >/etc/published/index.html",
    "mkdir -p /baseline",
    "mkdir -p /etc/published",
    "mount -o remount,rw /verdict",
    "for root in /proc/[0-9]*/root; do echo x >$root/baseline/known && exit; done; false",
]


@pytest.mark.parametrize("command", OUT_OF_REACH)
def test_the_app_writes_to_no_baseline(scanned: Scanned, heeded: Scanned, command: str) -> None:
    for form in (scanned, heeded):
        seen = form.run(f"( {command} ) && echo written")
        assert "written" not in seen
        # That it is refused, and not that there is no such program.
        assert "not found" not in seen


def test_no_form_of_the_app_writes_the_verdict(scanned: Scanned, heeded: Scanned) -> None:
    assert scanned.run(f"ls -d {VERDICT} 2>/dev/null") == ""
    for command in ("echo x >findings", "rm findings", "mv findings other", "chmod 777 ."):
        seen = heeded.run(f"cd {VERDICT} && {command} && echo written")
        assert "Read-only file system" in seen


def test_the_app_sees_the_processes_of_its_own_container_alone(
    scanned: Scanned, heeded: Scanned
) -> None:
    # A process may end after it was listed.
    all_of_them = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    names = f"{all_of_them} | grep -xE 'main-app|scanner|publisher'"
    for form in (scanned, heeded):
        assert set(form.run(names).split()) == {"main-app"}


@pytest.mark.long
def test_a_link_leads_the_publisher_nowhere(scanned: Scanned) -> None:
    scanned.clean()
    scanned.run(f"ln -s /tmp/done {CONTENT}/..new")
    scanned.found("added ..new: found link ")
    before = scanned.run("cat /tmp/done", "publisher")
    configured(scanned.project, {**FILES, "more": "more\n"})
    scanned.project.up()
    scanned.cluster.hurry(scanned.project.namespace)
    within(SYNC, lambda: scanned.run(f"cat {CONTENT}/more") == "more\n")
    scanned.clean()
    after = scanned.run("cat /tmp/done", "publisher")
    assert after.startswith("..")
    assert after != before


@pytest.mark.long
def test_a_scanner_that_is_killed_knows_its_findings_and_signals_nobody_twice(
    heeded: Scanned,
) -> None:
    heeded.clean()
    count = heeded.log("main-app").count(TOLD)
    heeded.run(f"touch {CONTENT}/x")
    heeded.found("added x: ")
    within(PACE, lambda: heeded.log("main-app").count(TOLD) == count + 1)
    before = heeded.findings()
    kill(processes(heeded.pod)["scanner"])
    within(60, lambda: "scanner" in processes(heeded.pod))
    # Its new log says it again.
    within(30, lambda: heeded.told() == before)
    time.sleep(2 * INTERVAL)
    assert heeded.findings() == before
    assert heeded.log("main-app").count(TOLD) == count + 1
    heeded.run(f"rm {CONTENT}/x")
    heeded.clean()


@pytest.mark.long
def test_the_app_is_signalled_once_for_each_new_finding(heeded: Scanned) -> None:
    heeded.clean()
    app = processes(heeded.pod)["main-app"]
    count = heeded.log("main-app").count(TOLD)
    for number in (1, 2):
        heeded.run(f"touch {CONTENT}/planted-{number}")
        heeded.found(f"added planted-{number}: ")
        within(PACE, lambda now=number: heeded.log("main-app").count(TOLD) == count + now)
        time.sleep(2 * INTERVAL)
        assert heeded.log("main-app").count(TOLD) == count + number
    heeded.run(f"rm {CONTENT}/planted-*")
    heeded.clean()
    assert heeded.log("main-app").count(TOLD) == count + 2
    assert processes(heeded.pod)["main-app"] == app


@pytest.mark.long
def test_an_app_that_is_started_anew_is_told_what_there_is(heeded: Scanned) -> None:
    heeded.run(f"touch {CONTENT}/x")
    heeded.found("added x: ")
    before = restarts(heeded.pod)
    kill(processes(heeded.pod)["main-app"])
    within(60, lambda: restarts(heeded.pod) == before + 1)
    within(30, lambda: heeded.log("main-app").count(TOLD) == 1)
    time.sleep(2 * INTERVAL)
    assert heeded.log("main-app").count(TOLD) == 1
    heeded.run(f"rm {CONTENT}/x")
    heeded.clean()


def held(_: str, spec: Object) -> None:
    """Have the publisher stand after the first file of its second version, to be killed there."""
    line = "        complete = _put(content / name, text) and complete"
    once = """
        if DONE.exists() and not Path("/tmp/held").exists():
            Path("/tmp/held").touch()
            time.sleep(3600)
"""
    insert(spec, "publisher", line, once)


@pytest.fixture
def standing(
    local_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Scanned]]:
    """A pod whose publisher stands midway in its second version."""
    project = Project(tmp_path_factory.mktemp("standing"))
    project.configure(demos={DEMO: {"intervalSeconds": INTERVAL, "files": FILES}})
    with applied(project, held):
        scanned = Scanned(local_cluster, project)

        def begin() -> Scanned:
            scanned.clean()
            body = {"data": {"app.conf": "other\n", "index.html": "other\n"}}
            name = f"{DEMO}-demo"
            local_cluster.core.patch_namespaced_config_map(name, project.namespace, body)
            local_cluster.hurry(project.namespace)
            within(SYNC, lambda: "held" in scanned.run("ls /tmp", "publisher"))
            return scanned

        yield begin


@pytest.mark.long
def test_a_publisher_that_is_killed_midway_is_no_finding_and_stops_no_scan(
    standing: Callable[[], Scanned],
) -> None:
    scanned = standing()
    texts = scanned.run(f"cat {CONTENT}/*")
    assert texts.count("other") == 1
    within(INTERVAL + PACE, lambda: scanned.status().startswith("publishing: "))
    assert scanned.findings() == []
    # What nobody published is found meanwhile.
    scanned.run(f"touch {CONTENT}/x")
    scanned.found("added x: ")
    scanned.run(f"rm {CONTENT}/x")
    kill(processes(scanned.pod)["publisher"])
    within(60, lambda: scanned.run(f"cat {CONTENT}/*") == "other\nother\n")
    scanned.clean()
    assert [line for line in scanned.told() if not line.startswith("added x: ")] == []
    within(60, lambda: is_ready(scanned.pod))
