"""A pod's CPU follows its load: how fast, within which bounds, and what happens when it may not."""

import json
import re
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast

import pytest
from kubernetes import client

from components.own_pod import CREDENTIALS
from components.quantity import parse_quantity
from tests.cluster.faults import kill, processes, root, within
from tests.cluster.project import Cluster, Object, Project, restarts
from tools import engine

pytestmark = pytest.mark.xdist_group("resize")

DEMO, LEAST, MOST = "resize", 20, 160
PERIODS, LOAD_S, INTERVAL_S = 3, 15, 2
OPTIONS: Object = {
    "intervalSeconds": INTERVAL_S,
    "loadSeconds": LOAD_S,
    "minCpu": f"{LEAST}m",
    "maxCpu": f"{MOST}m",
}
ROUND_S = 2 * LOAD_S + 15
"""In which the app has been busy and quiet, and its CPU has followed."""

REQUEST = """
import os, ssl, sys, urllib.error, urllib.request

credentials, method, path, body = sys.argv[1:]
server = "{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
headers = {
    "Authorization": "Bearer " + open(credentials + "/token").read(),
    "Content-Type": "application/strategic-merge-patch+json",
    "User-Agent": "e2e",
}
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(credentials + "/ca.crt")
data = body.encode() if body else None
request = urllib.request.Request("https://" + server + path, data, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=30, context=context)
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
print(answer.status)
"""
"""Whoever gets into the resizer has Python there."""


class Demo:
    """The demo in its namespace."""

    def __init__(self, cluster: Cluster, project: Project) -> None:
        self.cluster, self.namespace = cluster, project.namespace

    @property
    def pod(self) -> Any:
        return self.cluster.pod(self.namespace, DEMO)

    @property
    def log(self) -> str:
        return self.cluster.log(self.namespace, DEMO, "resizer")

    @property
    def wanted(self) -> int:
        """The app's CPU limit in the pod's spec, in millicores; the request is the same."""
        app = next(item for item in self.pod.spec.containers if item.name == "main-app")
        assert app.resources.requests["cpu"] == app.resources.limits["cpu"]
        return int(parse_quantity(app.resources.limits["cpu"]) * 1000)

    @property
    def in_force(self) -> int:
        """What the kernel holds the app to."""
        files = root(processes(self.pod)["main-app"]) / "sys" / "fs" / "cgroup"
        quota, period = 0, 100_000
        with suppress(FileNotFoundError):
            quota = int((files / "cpu" / "cpu.cfs_quota_us").read_text())
        if not quota:
            quota, period = map(int, (files / "cpu.max").read_text().split())
        return quota * 1000 // period

    def reaches(self, millicores: int, seconds: float = ROUND_S) -> None:
        within(seconds, lambda: self.in_force == millicores)

    def since(self, length: int) -> str:
        """What the resizer has logged after so much of its log."""
        return self.log[length:]

    def times(self, container: str, pattern: str) -> list[tuple[float, str]]:
        """When the lines that match were logged, in seconds since the epoch, and what matched."""
        text = self.cluster.core.read_namespaced_pod_log(
            self.pod.metadata.name, self.namespace, container=container, timestamps=True
        )
        found: list[tuple[float, str]] = []
        for line in text.splitlines():
            stamp, _, said = line.partition(" ")
            match = re.search(pattern, said)
            if match:
                whole, _, fraction = stamp.removesuffix("Z").partition(".")
                at = time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone
                found.append((at + float(f"0.{fraction or 0}"), match[1]))
        return found

    def send(self, path: str, patch: Object | None, method: str = "PATCH") -> tuple[str, str]:
        """The code and the text of the answer to a request with the resizer's token."""
        body = json.dumps(patch) if patch is not None else ""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{path}"
        command = ["python3", "-I", "-S", "-c", REQUEST, CREDENTIALS, method, path, body]
        said = self.cluster.run(self.namespace, DEMO, "resizer", shlex.join(command))
        answer, _, code = said.strip().rpartition("\n")
        return code, answer


@pytest.fixture(scope="module")
def demo(local_cluster: Cluster, project: Project) -> Demo:
    """The demo, beside another one."""
    project.configure(demos={DEMO: OPTIONS, "signal": {}})
    project.up()
    return Demo(local_cluster, project)


def test_the_limit_follows_the_load_and_nothing_restarts(
    demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.reaches(LEAST)
    before, started = processes(demo.pod), time.time()
    seen: list[tuple[float, int]] = [(started, demo.in_force)]
    wanted: set[int] = set()
    while time.time() < started + PERIODS * 2 * LOAD_S + 5:
        now = demo.in_force
        if now != seen[-1][1]:
            seen.append((time.time(), now))
        wanted.add(demo.wanted)
        time.sleep(0.1)
    after = demo.pod
    assert processes(after) == before
    assert restarts(after) == 0
    amounts = [amount for _, amount in seen]
    assert LEAST <= min(amounts) <= max(amounts) <= MOST, seen
    assert LEAST <= min(wanted) <= max(wanted) <= MOST, wanted
    assert amounts.count(MOST) >= PERIODS - 1, seen
    assert amounts.count(LEAST) >= PERIODS - 1, seen
    busy = demo.times("main-app", "^(Busy)")
    quiet = demo.times("main-app", "^(Quiet)")
    up = latencies([at for at, _ in busy], seen, MOST)
    down = latencies([at for at, _ in quiet], seen, LEAST)
    asked = [(at, int(said)) for at, said in demo.times("resizer", r"asking for (\d+)")]
    applied = [
        min(later - at for later, now in seen if now == amount and later >= at - 0.5)
        for at, amount in asked
        if any(now == amount and 0 <= later - at + 0.5 < 10 for later, now in seen)
    ]
    with capsys.disabled():
        steps = ", ".join(f"{at - started:.1f} s {amount}m" for at, amount in seen)
        print(f"\nin the app's cgroup: {steps}")
        print(f"from the load to {MOST}m: {shown(up)}; from its end to {LEAST}m: {shown(down)}")
        print(f"from the resizer's decision to the cgroup: {shown(applied)}")


def latencies(causes: list[float], seen: list[tuple[float, int]], amount: int) -> list[float]:
    """How long after each cause an amount was seen, as far as it was before the next one."""
    reached = [at for at, now in seen if now == amount]
    found = [[at - cause for at in reached if 0 <= at - cause < 2 * LOAD_S] for cause in causes]
    return [min(delays) for delays in found if delays]


def shown(seconds: list[float]) -> str:
    return ", ".join(f"{value:.1f} s" for value in sorted(seconds))


def test_every_power_is_verified(project: Project, demo: Demo) -> None:
    project.verify(DEMO)
    assert demo


def resized(amount: Object, kind: str = "containers", name: str = "main-app") -> Object:
    return {"spec": {kind: [{"name": name, "resources": amount}]}}


def cpu(limit: int, request: int | None = None) -> Object:
    requested = limit if request is None else request
    return {"requests": {"cpu": f"{requested}m"}, "limits": {"cpu": f"{limit}m"}}


LABEL: Object = {"metadata": {"labels": {"other": "x"}}}
IMAGE: Object = {"spec": {"containers": [{"name": "main-app", "image": "other:1"}]}}
NULL: Object = {"limits": {"cpu": None}}

REFUSED: dict[str, tuple[str, Object | None, str]] = {
    "more than the most": ("{own}/resize", resized(cpu(MOST + 1)), "422 between 20m and 160m"),
    "less than the least": ("{own}/resize", resized(cpu(LEAST - 1)), "422 between 20m and 160m"),
    "a limit that is too high": ("{own}/resize", resized(cpu(MOST + 1, LEAST)), "422 between"),
    "a request that is too low": ("{own}/resize", resized(cpu(MOST, LEAST - 1)), "422 between"),
    "more memory": ("{own}/resize", resized({"limits": {"memory": "4Gi"}}), "422 but cpu"),
    "less memory": ("{own}/resize", resized({"requests": {"memory": "1Mi"}}), "422 but cpu"),
    "storage": ("{own}/resize", resized({"limits": {"ephemeral-storage": "4Gi"}}), "422"),
    "the resizer itself": (
        "{own}/resize",
        resized(cpu(LEAST), "initContainers", "resizer"),
        "422 no container but main-app",
    ),
    "another container": ("{own}/resize", resized(cpu(LEAST), name="another"), "422"),
    "a neighbour": ("{neighbour}/resize", resized(cpu(LEAST)), "422 only the pod that it runs in"),
    "a label": ("{own}", LABEL, "403 cannot patch resource"),
    "the image": ("{own}", IMAGE, "403 cannot patch resource"),
    "CPU past the subresource": ("{own}", resized(cpu(LEAST)), "403 cannot patch resource"),
    "the status": ("{own}/status", LABEL, "403"),
    "a debug container": ("{own}/ephemeralcontainers", {"spec": {}}, "403"),
    "an eviction": ("{own}/eviction", None, "403"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_whoever_gets_into_the_resizer_can_change_nothing_else(demo: Demo, what: str) -> None:
    path, patch, wanted = REFUSED[what]
    (neighbour,) = [
        pod.metadata.name
        for pod in demo.cluster.pods(demo.namespace)
        if "signal" in pod.metadata.name
    ]
    path = path.format(own=demo.pod.metadata.name, neighbour=neighbour)
    code, said = demo.send(path, patch, "PATCH" if patch else "POST")
    status, _, message = wanted.partition(" ")
    assert code == status, said[:300]
    assert message in said


@pytest.mark.parametrize("patch", [LABEL, IMAGE], ids=["label", "image"])
def test_the_subresource_drops_what_is_no_resize(demo: Demo, patch: Object) -> None:
    before = demo.pod
    code, said = demo.send(f"{before.metadata.name}/resize", patch)
    assert code == "200", said[:300]
    after = demo.pod
    assert after.metadata.labels == before.metadata.labels
    assert [item.image for item in after.spec.containers] == [
        item.image for item in before.spec.containers
    ]


def test_a_limit_that_is_taken_away_is_still_within_the_bounds(demo: Demo) -> None:
    # The namespace's LimitRange has one in its place.
    demo.send(f"{demo.pod.metadata.name}/resize", resized(NULL))
    app = next(item for item in demo.pod.spec.containers if item.name == "main-app")
    assert LEAST <= parse_quantity(app.resources.limits["cpu"]) * 1000 <= MOST


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_token_is_good_for_patches_alone(demo: Demo, method: str) -> None:
    name = demo.pod.metadata.name
    for path in (name, f"{name}/resize"):
        code, said = demo.send(path, None, method)
        assert code in ("403", "405"), said


def test_the_app_can_not_read_the_resizers_token_behind_proc(demo: Demo) -> None:
    command = "cat /proc/[0-9]*/root/var/run/secrets/*/*/token; cat /proc/[0-9]*/environ; id -u"
    seen = demo.cluster.run(demo.namespace, DEMO, "main-app", command)
    assert "eyJ" not in seen
    assert "CPU_LIMIT" not in seen
    assert "ermission denied" in seen
    assert "65532" in seen


def test_a_resize_beyond_the_quota_is_refused_logged_and_made_up_for(demo: Demo) -> None:
    demo.reaches(LEAST)
    length = len(demo.log)
    hard = {"limits.cpu": used_limits(demo)}
    body = {"metadata": {"name": "tight"}, "spec": {"hard": hard}}
    demo.cluster.core.create_namespaced_resource_quota(demo.namespace, body)
    try:
        within(ROUND_S, lambda: "exceeded quota: tight" in demo.since(length))
        within(30, lambda: demo.since(length).count("Trying again in 2 s") >= 2)
        assert "Trying again in 1 s" in demo.since(length)
        assert demo.in_force <= MOST / 2
    finally:
        demo.cluster.core.delete_namespaced_resource_quota("tight", demo.namespace)
    # In a busy phase in which the machine has that much to spare.
    demo.reaches(MOST, 4 * ROUND_S)
    assert restarts(demo.pod) == 0


def used_limits(demo: Demo) -> str:
    """What the pods may use now, and not enough more for another step of the resizer's."""
    pods = demo.cluster.pods(demo.namespace)
    total = sum(
        int(parse_quantity(item.resources.limits["cpu"]) * 1000)
        for pod in pods
        for item in containers(pod)
    )
    return f"{total + LEAST // 2}m"


def test_without_its_role_the_resizer_logs_the_refusal_until_an_up_restores_it(
    demo: Demo, project: Project
) -> None:
    length = len(demo.log)
    demo.cluster.rbac.delete_namespaced_role("pod-resizer", project.namespace)
    account = f"system:serviceaccount:{project.namespace}:pod-resizer"
    refusal = f'is forbidden: User \\"{account}\\" cannot patch resource \\"pods/resize\\"'
    within(ROUND_S, lambda: refusal in demo.since(length))
    project.up("--refresh")
    demo.reaches(LEAST)
    demo.reaches(MOST)
    assert restarts(demo.pod) == 0


def test_refresh_and_up_find_nothing_to_do_while_the_pod_is_resized(
    demo: Demo, project: Project
) -> None:
    demo.reaches(LEAST)
    uid = demo.pod.metadata.uid
    project.refresh()
    project.up("--expect-no-changes")
    assert demo.pod.metadata.uid == uid


@pytest.mark.long
def test_a_resizer_that_is_killed_goes_on_from_what_the_app_has(demo: Demo) -> None:
    demo.reaches(LEAST)
    before = processes(demo.pod)
    kill(before["resizer"])
    within(60, lambda: processes(demo.pod).get("resizer") not in (None, before["resizer"]))
    assert "asking for 160" not in demo.log
    demo.reaches(MOST)
    demo.reaches(LEAST)
    assert processes(demo.pod)["main-app"] == before["main-app"]


@pytest.mark.long
def test_an_app_that_is_killed_starts_again_with_what_it_had(demo: Demo) -> None:
    demo.reaches(LEAST)
    before = processes(demo.pod)
    kill(before["main-app"])
    within(60, lambda: processes(demo.pod).get("main-app") not in (None, before["main-app"]))
    assert demo.in_force <= MOST
    demo.reaches(MOST)
    demo.reaches(LEAST)
    assert processes(demo.pod)["resizer"] == before["resizer"]


@pytest.fixture
def crowded(demo: Demo) -> Iterator[Callable[[], None]]:
    """Leaves next to no CPU on the node to be requested; other tests' pods come first."""
    api = cast(Any, client).SchedulingV1Api(demo.cluster.core.api_client)
    name = f"e2e-{secrets.token_hex(4)}"
    api.create_priority_class({"metadata": {"name": name}, "value": -10})

    def crowd() -> None:
        node = demo.cluster.core.list_node().items[0]
        pods = demo.cluster.core.list_pod_for_all_namespaces().items
        taken = sum(requests(pod) for pod in pods if pod.status.phase in ("Pending", "Running"))
        free = parse_quantity(node.status.allocatable["cpu"]) - taken
        amount = {"cpu": f"{int(free * 1000) - LEAST // 2}m", "memory": "16Mi"}
        image = engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]["images"]["shell"]
        container: Object = {
            "name": "app",
            "image": image,
            "command": ["sleep", "3600"],
            "resources": {"requests": amount, "limits": amount},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        spec: Object = {
            "containers": [container],
            "priorityClassName": name,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
        body = {"metadata": {"name": name}, "spec": spec}
        demo.cluster.core.create_namespaced_pod(demo.namespace, body)

    yield crowd
    with suppress(client.ApiException):
        demo.cluster.core.delete_namespaced_pod(name, demo.namespace)
    api.delete_priority_class(name)


def requests(pod: Any) -> Any:
    """The CPU that a pod requests, native sidecars included."""
    found: list[Object] = [item.resources.requests or {} for item in containers(pod)]
    return sum(parse_quantity(amounts.get("cpu", "0")) for amounts in found)


def containers(pod: Any) -> list[Any]:
    """What runs in a pod, native sidecars included."""
    init: list[Any] = pod.spec.init_containers or []
    return [*(item for item in init if item.restart_policy == "Always"), *pod.spec.containers]


@pytest.mark.long
@pytest.mark.alone
def test_what_the_node_has_no_room_for_is_put_off_and_done_once_there_is(
    demo: Demo, crowded: Callable[[], None]
) -> None:
    demo.reaches(LEAST)
    length = len(demo.log)
    crowded()
    within(ROUND_S, lambda: "The kubelet has not done it yet: Deferred: " in demo.since(length))
    # Another pod may have ended meanwhile.
    assert demo.in_force < MOST
    filler = next(pod for pod in demo.cluster.pods(demo.namespace) if pod.spec.priority == -10)
    demo.cluster.core.delete_namespaced_pod(filler.metadata.name, demo.namespace)
    demo.reaches(MOST)
    assert restarts(demo.pod) == 0


@pytest.mark.long
def test_other_bounds_are_a_rollout(demo: Demo, project: Project) -> None:
    uid = demo.pod.metadata.uid
    project.configure(demos={DEMO: {**OPTIONS, "maxCpu": "80m"}, "signal": {}})
    changes = project.changed()
    kinds = sorted((urn.split("::")[2].split(":")[-1], it.operation) for urn, it in changes.items())
    assert kinds == [("Deployment", "update"), ("ValidatingAdmissionPolicy", "update")]
    within(30, lambda: len(demo.cluster.pods(project.namespace)) == 2)
    assert demo.pod.metadata.uid != uid
    assert demo.in_force <= 80


@pytest.mark.long
def test_a_bare_pod_is_resized_in_place_and_replaced_for_other_bounds(
    demo: Demo, project: Project
) -> None:
    options = {**OPTIONS, "workload": "pod"}
    project.configure(demos={DEMO: options})
    project.up()
    demo.reaches(LEAST)
    uid = demo.pod.metadata.uid
    project.refresh()
    project.up("--expect-no-changes")
    assert demo.pod.metadata.uid == uid
    project.configure(demos={DEMO: {**options, "minCpu": "40m", "maxCpu": "120m"}})
    changes = project.changed()
    kinds = sorted((urn.split("::")[2].split(":")[-1], it.operation) for urn, it in changes.items())
    assert kinds == [("Pod", "replace"), ("ValidatingAdmissionPolicy", "update")]
    assert demo.pod.metadata.uid != uid
    demo.reaches(40)
    demo.reaches(120)
    demo.reaches(40)
    project.verify()
    project.refresh()
    project.up("--expect-no-changes")
