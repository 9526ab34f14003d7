"""The options of a stack, switched one after another, and what each switch must do."""

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.cluster.project import Object
from tests.edits import OTHER_TOKEN, TOKEN

_OTHER_IMAGE = "localhost/sidecar-powers/curl:bookworm"
"""It has a shell too, another one."""


@dataclass(frozen=True)
class Switch:
    """One edit of a stack's file, and the kinds of the objects that it must touch, and how."""

    what: str

    settings: Object
    """What the file says after it; `{stack}` in the namespace stands for the stack's name."""

    create: str = ""
    update: str = ""
    replace: str = ""
    delete: str = ""

    because: str = ""
    """Where the fields are that force the replacement."""


def _demo(demo: str, **options: Any) -> Object:
    return {"demos": {demo: options}}


def _signal(**options: Any) -> Object:
    return _demo("signal", **options)


def _pod(**options: Any) -> Object:
    return _demo("signal", workload="pod", **options)


def _stack(**settings: Any) -> Object:
    return {**_signal(), **settings}


def _shared(**options: Any) -> Object:
    return _demo("shared-filesystem", **options)


def _init(**options: Any) -> Object:
    return _demo("init-sidecar", **options)


def _env(**options: Any) -> Object:
    return _demo("env-inherit", **options)


def _rotation(token: Object, **options: Any) -> Object:
    return _demo("secret-rotation", token=token, **options)


def _scan(**options: Any) -> Object:
    return _demo("security-scan", files=_ONE, **options)


def _resource(limits: str = "128Mi", **options: Any) -> Object:
    # Other tests need the node's CPU too.
    small = {"requests": {"cpu": "10m"}, "limits": {"memory": limits}}
    resources = dict.fromkeys(("main-app", "resource-monitor"), small)
    return _demo("resource", resources=resources, **{"loadWorkers": 0, **options})


def _resize(**options: Any) -> Object:
    # Other tests need the node's CPU too.
    return _demo("resize", **{"maxCpu": "100m", **options})


def _intervals(seconds: int) -> dict[str, int]:
    return {"intervalSeconds": seconds, "appIntervalSeconds": seconds}


_GONE = "return 410;"
_ONE = {"one": "text"}
_QUOTA = {"pods": "4", "limits.memory": "512Mi"}
_TIGHT = {"pods": "3"}
_SMALLER = {"resources": {"limits": {"cpu": "50m"}}}
_TWO = {"signal": {}, "signal-fast": {"demo": "signal", "intervalSeconds": 2}}
_NAMESPACE = "Namespace LimitRange NetworkPolicy NetworkPolicy"
_POLICIES = "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
_POLICY = "ValidatingAdmissionPolicy"
_RBAC = f"ServiceAccount Role RoleBinding {_POLICIES}"

WALKS = {
    "signal": [
        Switch("", _signal()),
        Switch("intervals", _signal(**_intervals(3)), update="Deployment"),
        Switch("message", _signal(message='It\'s a "HUP": $0'), update="Deployment"),
        Switch("image", _signal(images={"main-app": _OTHER_IMAGE}), update="Deployment"),
        Switch(
            "resources",
            _signal(resources={"signal-sender": {"limits": {"memory": "48Mi"}}}),
            update="Deployment",
        ),
        Switch("timeoutSeconds", _signal(timeoutSeconds=120), update="Deployment"),
        Switch("classic sidecars", _signal(sidecars="classic"), update="Deployment"),
        Switch("native sidecars", _signal(sidecars="native"), update="Deployment"),
        Switch(
            "two replicas",
            _signal(replicas=2),
            update="Deployment",
            create="PodDisruptionBudget",
        ),
        Switch(
            "one replica",
            _signal(replicas=1),
            update="Deployment",
            delete="PodDisruptionBudget",
        ),
        Switch("a Pod", _pod(), create="Pod", delete="Deployment"),
        Switch("a Pod's message", _pod(message="x"), replace="Pod", because="spec"),
        Switch("a Pod's sidecars", _pod(sidecars="classic"), replace="Pod", because="spec"),
        # The engine's alone.
        Switch("a Pod's timeoutSeconds", _pod(sidecars="classic", timeoutSeconds=120)),
        Switch("a Deployment", _signal(), create="Deployment", delete="Pod"),
    ],
    "stack": [
        Switch("", _stack()),
        Switch("quota", _stack(quota=_QUOTA), create="ResourceQuota"),
        Switch(
            "a larger quota and resources",
            _stack(quota=_QUOTA | {"pods": "6"}, defaults=_SMALLER),
            update="ResourceQuota Deployment",
        ),
        Switch("no quota", _stack(defaults=_SMALLER), delete="ResourceQuota"),
        Switch(
            "form",
            _stack(defaults={"workload": "pod", "sidecars": "classic"}),
            create="Pod",
            delete="Deployment",
        ),
        Switch("no defaults", _stack(), create="Deployment", delete="Pod"),
        Switch(
            "apiServer",
            _stack(apiServer={"cidr": "192.0.2.10/32", "port": 6443}),
            update="NetworkPolicy",
        ),
        Switch("a demo added", _stack(demos=_TWO), update="NetworkPolicy", create="Deployment"),
        Switch("a demo removed", _stack(), delete="Deployment"),
        Switch(
            "a tight quota", _stack(demos=_TWO, quota=_TIGHT), create="Deployment ResourceQuota"
        ),
        Switch(
            "two at once under a tight quota",
            _stack(demos=_TWO, quota=_TIGHT, defaults=_SMALLER),
            update="Deployment Deployment",
        ),
        Switch(
            "all of that undone", _stack(), update="Deployment", delete="Deployment ResourceQuota"
        ),
        # The engine's and the program's alone.
        Switch("protectNamespace", _stack(protectNamespace=True, allowUnpinnedImages=True)),
        Switch("no protectNamespace", _stack()),
    ],
    "shared-filesystem": [
        Switch("", _shared()),
        Switch("port", _shared(port=9090), update="Deployment"),
        Switch("a low port", _shared(port=80), update="Deployment"),
        Switch("intervalSeconds", _shared(intervalSeconds=3), update="Deployment"),
        Switch("sizeLimit", _shared(sizeLimit="8Mi"), update="Deployment"),
    ],
    "init-sidecar": [
        Switch("", _init()),
        Switch("intervals", _init(**_intervals(3)), update="Deployment"),
        Switch("texts", _init(initialText="key: 'v'", updatedText="$0"), update="Deployment"),
        Switch("sizeLimit", _init(sizeLimit="8Mi"), update="Deployment"),
    ],
    "env-inherit": [
        Switch("", _env()),
        Switch("intervals", _env(**_intervals(3)), update="Deployment"),
        Switch("initialVersion", _env(initialVersion="2.0.0"), update="Deployment"),
        Switch(
            "serviceAccount",
            _env(serviceAccount="other"),
            update="Deployment",
            replace=_RBAC,
            because="metadata.name",
        ),
        Switch(
            "no admissionPolicy",
            _env(serviceAccount="other", admissionPolicy=False),
            delete=_POLICIES,
        ),
        Switch("admissionPolicy", _env(serviceAccount="other"), create=_POLICIES),
        Switch(
            "a Pod",
            _env(serviceAccount="other", workload="pod"),
            create="Pod",
            update="Role",
            delete="Deployment",
        ),
        Switch("a Pod's serviceAccount", _env(workload="pod"), replace=f"Pod {_RBAC}"),
        Switch("a Deployment", _env(), create="Deployment", update="Role", delete="Pod"),
        Switch(
            "namespace",
            _env() | {"namespace": "{stack}-moved"},
            replace=f"{_NAMESPACE} {_RBAC} Deployment",
            because="metadata.name",
        ),
    ],
    "resource": [
        Switch("", _resource()),
        Switch("interval and port", _resource(intervalSeconds=3, port=9090), update="Deployment"),
        Switch("resources", _resource("96Mi"), update="Deployment"),
        Switch("loadWorkers", _resource(loadWorkers=1), update="Deployment"),
        Switch("no loadWorkers", _resource(loadWorkers=0), update="Deployment"),
    ],
    "hot-reload": [
        Switch("", _demo("hot-reload")),
        Switch("directives", _demo("hot-reload", directives=_GONE), update="ConfigMap"),
        Switch("port", _demo("hot-reload", directives=_GONE, port=9090), update="Deployment"),
        Switch(
            "a Pod",
            _demo("hot-reload", workload="pod"),
            create="Pod",
            update="ConfigMap",
            delete="Deployment",
        ),
        Switch(
            "a Pod's directives",
            _demo("hot-reload", workload="pod", directives=_GONE),
            update="ConfigMap",
        ),
        Switch(
            "a Pod's sidecars",
            _demo("hot-reload", workload="pod", directives=_GONE, sidecars="classic"),
            replace="Pod",
            because="spec",
        ),
    ],
    "secret-rotation": [
        Switch("", _rotation(TOKEN)),
        Switch("token", _rotation(OTHER_TOKEN), update="Secret"),
        Switch("overlapSeconds", _rotation(OTHER_TOKEN, overlapSeconds=5), update="Deployment"),
        Switch("port", _rotation(OTHER_TOKEN, port=9090), update="Deployment"),
        Switch(
            "a Pod",
            _rotation(OTHER_TOKEN, workload="pod"),
            create="Pod",
            delete="Deployment",
        ),
        Switch("a Pod's token", _rotation(TOKEN, workload="pod"), update="Secret"),
        Switch(
            "a Pod's sidecars",
            _rotation(TOKEN, workload="pod", sidecars="classic"),
            replace="Pod",
            because="spec",
        ),
    ],
    "log-processing": [
        Switch("", _demo("log-processing")),
        Switch("intervals", _demo("log-processing", **_intervals(2)), update="Deployment"),
        Switch(
            "maxSize and maskedKeys",
            _demo("log-processing", maxSize="64Ki", maskedKeys=["password", "api_key"]),
            update="Deployment",
        ),
    ],
    "security-scan": [
        Switch("", _demo("security-scan")),
        Switch("files", _demo("security-scan", files=_ONE), update="ConfigMap"),
        Switch("signal", _scan(action="signal"), update="Deployment"),
        Switch("another signal", _scan(action="signal", signal="HUP"), update="Deployment"),
        Switch("report", _scan(intervalSeconds=3, sizeLimit="8Mi"), update="Deployment"),
        Switch("a Pod", _scan(workload="pod"), create="Pod", delete="Deployment"),
        Switch("a Pod's files", _demo("security-scan", workload="pod"), update="ConfigMap"),
        Switch(
            "a Pod's action",
            _demo("security-scan", workload="pod", action="signal"),
            replace="Pod",
            because="spec",
        ),
    ],
    "graceful-shutdown": [
        Switch("", _demo("graceful-shutdown")),
        Switch(
            "hook and draining",
            _demo("graceful-shutdown", preStopSeconds=2, drainSeconds=3, gracePeriodSeconds=10),
            update="Deployment",
        ),
        Switch(
            "port",
            _demo("graceful-shutdown", preStopSeconds=1, slowSeconds=1, port=9090),
            update="Deployment Service",
        ),
        Switch(
            "a Pod",
            _demo("graceful-shutdown", port=9090, workload="pod"),
            create="Pod",
            delete="Deployment",
        ),
        Switch(
            "a Pod's drainSeconds",
            _demo("graceful-shutdown", drainSeconds=3, port=9090, workload="pod"),
            replace="Pod",
            because="spec",
        ),
    ],
    "health": [
        Switch("", _demo("health")),
        Switch(
            "patience",
            _demo("health", intervalSeconds=3, slowSeconds=1, probeTimeoutSeconds=2),
            update="Deployment",
        ),
        Switch("dumps", _demo("health", dumpSignal="USR2", maxDumps=2), update="Deployment"),
        Switch("no restarts", _demo("health", restartBudget=0), update="Deployment"),
        Switch("port", _demo("health", port=9090), update="Deployment"),
        Switch("a Pod", _demo("health", workload="pod"), create="Pod", delete="Deployment"),
        Switch(
            "a Pod's restarts",
            _demo("health", workload="pod", backoffSeconds=5, budgetSeconds=60),
            replace="Pod",
            because="spec",
        ),
    ],
    "debug": [
        Switch("", _demo("debug")),
        Switch("toolbox", _demo("debug", toolbox=True), update="Deployment"),
        Switch(
            "deadline and intervals",
            _demo("debug", toolbox=True, deadlineSeconds=60, **_intervals(3)),
            update="Deployment",
        ),
        Switch("no toolbox", _demo("debug"), update="Deployment"),
        Switch(
            "a Pod",
            _demo("debug", toolbox=True, workload="pod"),
            create="Pod",
            delete="Deployment",
        ),
        Switch("a Pod's toolbox", _demo("debug", workload="pod"), replace="Pod", because="spec"),
    ],
    "resize": [
        Switch("", _resize()),
        Switch("pace", _resize(intervalSeconds=2, headroomPercent=100), update="Deployment"),
        Switch("loadSeconds", _resize(loadSeconds=10), update="Deployment"),
        Switch("maxCpu", _resize(maxCpu="80m"), update=f"Deployment {_POLICY}"),
        Switch("minCpu", _resize(minCpu="20m", maxCpu="80m"), update=f"Deployment {_POLICY}"),
        Switch(
            "no admissionPolicy",
            _resize(minCpu="20m", maxCpu="80m", admissionPolicy=False),
            delete=_POLICIES,
        ),
        Switch(
            "a Pod",
            _resize(workload="pod"),
            create=f"Pod {_POLICIES}",
            update="Role",
            delete="Deployment",
        ),
        Switch(
            "a Pod's bounds",
            _resize(workload="pod", maxCpu="80m"),
            update=_POLICY,
            replace="Pod",
            because="spec",
        ),
        Switch(
            "a Pod's sidecars",
            _resize(workload="pod", maxCpu="80m", sidecars="classic"),
            replace="Pod",
            because="spec",
        ),
        Switch(
            "a Deployment",
            _resize(),
            create="Deployment",
            update=f"Role {_POLICY}",
            delete="Pod",
        ),
        Switch(
            "serviceAccount",
            _resize(serviceAccount="other"),
            update="Deployment",
            replace=_RBAC,
            because="metadata.name",
        ),
    ],
}
"""A walk begins as its first entry says, which is no switch, and goes on from one to the next."""

_OPTIONS: dict[str, dict[str, list[Any]]] = {
    "signal": {"appIntervalSeconds": [2, 5], "message": ["one", "two"]},
    "shared-filesystem": {"port": [80, 9090], "sizeLimit": ["8Mi", "32Mi"]},
    "init-sidecar": {"appIntervalSeconds": [2, 5], "updatedText": ["one", "two"]},
    "env-inherit": {
        "initialVersion": ["2.0.0", "3.0.0"],
        "serviceAccount": ["one", "two"],
        "admissionPolicy": [True, False],
    },
}
_OF_ALL: dict[str, list[Any]] = {
    "workload": ["deployment", "pod"],
    "sidecars": ["native", "classic"],
    "intervalSeconds": [2, 60],
    "timeoutSeconds": [120, 240],
}


def random_settings(random: Random) -> Object:
    """One or two demos in any form, with some of their options."""
    demos: dict[str, Object] = {}
    for demo in random.sample(sorted(_OPTIONS), random.randint(1, 2)):
        choices = _OF_ALL | _OPTIONS[demo]
        chosen = {key: random.choice(choices[key]) for key in choices if random.random() < 0.5}
        if chosen.get("workload") != "pod":
            chosen["replicas"] = random.randint(1, 2)
        demos[demo] = chosen
    return {"demos": demos}
