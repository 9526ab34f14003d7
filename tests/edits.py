"""Edits of a stack's configuration, and what the engine does with each object then.

The table is the same for `make diff`, which must say so, and for the engine, which must do so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Config = Mapping[str, Any]
"""What a stack's file says, without `sidecar-powers:` before each key."""


@dataclass(frozen=True)
class Edit:
    """Two versions of a stack's file that differ in one thing."""

    name: str
    before: Config
    after: Config
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    """By kind and name; all objects that are not named stay as they are."""

    def __str__(self) -> str:
        return self.name


def stack(**config: Any) -> Config:
    """A stack's file that differs so from one without demos."""
    return {"namespace": "edited", **config}


def demo(key: str, **options: Any) -> Config:
    """A stack's file with this demo alone."""
    return stack(demos={key: options})


def _option(key: str, verdicts: Mapping[str, str], **options: Any) -> Edit:
    """An option of a demo that was not given."""
    pairs = ", ".join(f"{name}: {value}" for name, value in options.items())
    return Edit(f"{key}, {pairs}", demo(key), demo(key, **options), verdicts)


def _pod_option(key: str, verdicts: Mapping[str, str], **options: Any) -> Edit:
    """The same where the demo is a bare Pod."""
    pairs = ", ".join(f"{name}: {value}" for name, value in options.items())
    before, after = demo(key, workload="pod"), demo(key, workload="pod", **options)
    return Edit(f"{key} as a pod, {pairs}", before, after, verdicts)


def _updated(key: str) -> dict[str, str]:
    return {f"Deployment/{key}-demo": "update"}


def _replaced(key: str) -> dict[str, str]:
    return {f"Pod/{key}-demo": "replace"}


_BUNDLE = ("ServiceAccount", "Role", "RoleBinding")
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def _labeler(verdict: str, account: str, namespace: str = "edited") -> dict[str, str]:
    return {f"{kind}/{account}": verdict for kind in _BUNDLE} | {
        f"{kind}/{namespace}.{account}": verdict for kind in _POLICIES
    }


_LIMITS = {"limits": {"cpu": "200m", "memory": "96Mi"}}

EDITS = [
    Edit("nothing", demo("signal"), demo("signal")),
    Edit("a default that is written down", demo("signal"), demo("signal", intervalSeconds=10)),
    Edit(
        "the same quantity in other words",
        demo("signal", resources={"main-app": {"limits": {"cpu": "100m"}}}),
        demo("signal", resources={"main-app": {"limits": {"cpu": "0.1"}}}),
        _updated("signal"),
    ),
    _option("signal", _updated("signal"), intervalSeconds=7),
    _option("signal", _updated("signal"), appIntervalSeconds=7),
    _option("signal", _updated("signal"), message="Hello | `there`"),
    _option("signal", _updated("signal"), timeoutSeconds=120),
    _option("signal", _updated("signal"), sidecars="classic"),
    _option("signal", _updated("signal"), images={"shell": "busybox:1.37.1"}),
    _option("signal", _updated("signal"), images={"signal-sender": "busybox:1.37.1"}),
    _option("signal", _updated("signal"), resources={"main-app": _LIMITS}),
    _option(
        "signal",
        {**_updated("signal"), "PodDisruptionBudget/signal-demo": "create"},
        replicas=2,
    ),
    _option(
        "signal",
        {"Deployment/signal-demo": "delete", "Pod/signal-demo": "create"},
        workload="pod",
    ),
    _option("shared-filesystem", _updated("shared-filesystem"), port=9090),
    _option("shared-filesystem", _updated("shared-filesystem"), port=80),
    _option("shared-filesystem", _updated("shared-filesystem"), sizeLimit="2Mi"),
    _option("init-sidecar", _updated("init-sidecar"), initialText="Other"),
    _option("init-sidecar", _updated("init-sidecar"), updatedText="Other"),
    _option("init-sidecar", _updated("init-sidecar"), sizeLimit="2Mi"),
    _option("resource", _updated("resource"), loadWorkers=0),
    _option("resource", _updated("resource"), port=9090),
    _option("env-inherit", _updated("env-inherit"), initialVersion="2.0.0"),
    _option(
        "env-inherit",
        {**_updated("env-inherit"), **_labeler("replace", "other")},
        serviceAccount="other",
    ),
    _option(
        "env-inherit",
        {f"{kind}/edited.pod-labeler": "delete" for kind in _POLICIES},
        admissionPolicy=False,
    ),
    _pod_option("signal", _replaced("signal"), intervalSeconds=7),
    _pod_option("signal", _replaced("signal"), images={"shell": "busybox:1.37.1"}),
    _pod_option("signal", _replaced("signal"), resources={"main-app": _LIMITS}),
    _pod_option("signal", _replaced("signal"), sidecars="classic"),
    _pod_option("signal", {}, timeoutSeconds=120),
    _pod_option("env-inherit", {}, initialVersion="2.0.0"),
    _pod_option("init-sidecar", _replaced("init-sidecar"), appIntervalSeconds=7),
    Edit(
        "a demo more",
        demo("signal"),
        stack(demos={"signal": {}, "signal-fast": {"demo": "signal"}}),
        {"Deployment/signal-fast-demo": "create"},
    ),
    Edit(
        "a demo less",
        stack(demos={"signal": {}, "signal-fast": {"demo": "signal"}}),
        demo("signal"),
        {"Deployment/signal-fast-demo": "delete"},
    ),
    Edit(
        "a default of all demos",
        stack(demos={"signal": {}, "init-sidecar": {}}),
        stack(demos={"signal": {}, "init-sidecar": {}}, defaults={"resources": _LIMITS}),
        {**_updated("signal"), **_updated("init-sidecar")},
    ),
    Edit(
        "a quota",
        demo("signal"),
        stack(demos={"signal": {}}, quota={"pods": "4"}),
        {"ResourceQuota/quota": "create"},
    ),
    Edit(
        "a larger quota",
        stack(demos={"signal": {}}, quota={"pods": "4"}),
        stack(demos={"signal": {}}, quota={"pods": "5"}),
        {"ResourceQuota/quota": "update"},
    ),
    Edit(
        "no quota any more",
        stack(demos={"signal": {}}, quota={"pods": "4"}),
        demo("signal"),
        {"ResourceQuota/quota": "delete"},
    ),
    Edit("a budget", demo("signal"), stack(demos={"signal": {}}, budget={"pods": "1"})),
    Edit(
        "where the API server is",
        demo("signal"),
        stack(demos={"signal": {}}, apiServer={"cidr": "192.0.2.10/32", "port": 6443}),
        {"NetworkPolicy/api-access": "update"},
    ),
    Edit(
        "a waiver",
        demo("signal"),
        stack(
            demos={"signal": {}},
            waivers={"probes": {"*": {"reason": "A reason.", "expires": "2030-12-31"}}},
        ),
    ),
    Edit(
        "protection",
        demo("signal"),
        stack(demos={"signal": {}}, protectNamespace=True),
    ),
    Edit(
        "another namespace",
        demo("env-inherit"),
        {**demo("env-inherit"), "namespace": "renamed"},
        {
            "Namespace/renamed": "replace",
            "LimitRange/defaults": "replace",
            "NetworkPolicy/api-access": "replace",
            "NetworkPolicy/default-deny": "replace",
            "Deployment/env-inherit-demo": "replace",
            **_labeler("replace", "pod-labeler", "renamed"),
        },
    ),
]
