"""Edits of a stack's configuration, and what the engine does with each object then.

The table is the same for `make diff`, which must say so, and for the engine, which must do so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from stacks.model import PATTERNS

PUBLISHED = "4.32.0"
"""The version of the plugin with which its verdicts were recorded."""

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
    published: str = ""
    """`fail` where the published plugin's preview does: from an object that it has created and
    never updated, its dry run takes nothing away, and then two are called alike."""

    def __str__(self) -> str:
        return self.name


def stack(**config: Any) -> Config:
    """A stack's file that differs so from one without demos."""
    return {"namespace": "edited", **config}


TOKEN, OTHER_TOKEN = (
    {"secure": f"v1:{text}"}
    for text in (
        "v3BDy3ETypC6/aYG:EPoHlhaHwLEIQp4QbgDEDPogMKJEpcYaaux+vK0TtWs6kYMlG1/dVA==",
        "gm4hLFFlkPQ0Wdnx:cm1h7/p9RCKM+h34f3cdV8pJaUVexka0GMUsv6p9gw8+sWpQfNaZp2J8eHwxzCjv",
    )
)
"""As the local stack's file would have them, whose passphrase everybody knows."""

_CA = """\
-----BEGIN CERTIFICATE-----
MIIBojCCAUigAwIBAgIUGbTb+LTNCaTX0+Uvcx/3Uu3S4D8wCgYIKoZIzj0EAwIw
LzEtMCsGA1UEAwwkQ0Egc2lkZWNhci1wb3dlcnMgbG9jYWwgb2YgdGhlIHRlc3Rz
MB4XDTI2MTEyNDAxMzQzNVoXDTM2MTIwMjAxMzQzNVowLzEtMCsGA1UEAwwkQ0Eg
c2lkZWNhci1wb3dlcnMgbG9jYWwgb2YgdGhlIHRlc3RzMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE7AiMQrWjVLPcRM8kJf4kmL06Ogpg1KiqOGxzIcWhPAhgZvH+
t8LUI0dffgHi6GV0f/TSFIXozmBRMXqOT+TBhqNCMEAwDwYDVR0TAQH/BAUwAwEB
/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFC8UJfqwS9pko7NwJ8JdvJjv3zJg
MAoGCCqGSM49BAMCA0gAMEUCIQDuOimT7SsKyi/o6qSTJfttXoVMatgnB4CyD2Qy
mKyvQwIgYLx3A1sYe8R1wAI6F0t7iEQwLWtL0IWRlFSf+zIoazk=
-----END CERTIFICATE-----
"""
_CA_KEY = (
    "v1:7ysyK/Rb1gjbzZSP:2o5tiuwtmZbVkggqOU+WYKmZgKB8o57oGHxcmt5RINi6vVc5W6gHWzGJQSxr7ibl0hIp"
    "ItlhjNlEwN0v0XaIZQq5AVKg95ZiqhhKRNXHDU/A6/DpoVD7GAKs8JxRvHTf9bRAC+fccp2w9tGZ1byg1HFicc3D"
    "+2JrfJbUksKWuV1nQkg0PhSCsLvnUMU8Za65t8J9aFHPT5xrXRdyvzLAUIBUXj8pYD+E6tB2pOV1AJYdP31NpC/q"
    "m9V1EngmIBRFnmXxwkAYLngiiKKMCvcHmyq2UeABnMWi9p7v5/GeIBqv6XoCvjzQ8g2A0eCPVEbjDg0wiixv3/dV"
    "t3vxc+GeRg=="
)
"""The same, of a CA that signs for the local cluster alone."""

REQUIRED: Mapping[str, Config] = {
    "cert-renewal": {"caCertificate": _CA, "caKey": {"secure": _CA_KEY}},
    "secret-rotation": {"token": TOKEN},
}
"""What a demo must be given."""

DEMOS: Mapping[str, Config] = {key: {**REQUIRED.get(key, {})} for key in PATTERNS}
"""Every demo, as it is by default."""

DEPLOYED = stack(demos=DEMOS)
"""The stack's file before most of the edits."""

PODS = stack(demos=DEMOS, defaults={"workload": "pod"})
"""The same with bare Pods."""

# One demo has a server of its own, another one stands twice, and an update takes more meanwhile.
_ROOM, _MORE_ROOM = ({"pods": f"{len(DEMOS) + more}"} for more in (4, 5))

FULL = stack(
    demos={
        **DEMOS,
        "signal": {"resources": {"main-app": {"limits": {"cpu": "100m"}}}},
        "signal-fast": {"demo": "signal"},
    },
    quota=_ROOM,
)
"""One with what can be taken away again."""

BEFORE = [DEPLOYED, PODS, FULL]
"""All files before edits."""


def _demo(before: Config, key: str, **options: Any) -> Config:
    """The file with these options of a demo more."""
    demos = before["demos"]
    return {**before, "demos": {**demos, key: {**demos.get(key, {}), **options}}}


def _option(
    key: str,
    verdicts: Mapping[str, str],
    before: Config = DEPLOYED,
    published: str = "",
    **options: Any,
) -> Edit:
    """An option of a demo that was not given."""
    form = " as a pod" if before is PODS else ""
    written = yaml.safe_dump(options, default_flow_style=True, width=1000).strip()[1:-1]
    return Edit(
        f"{key}{form}, {written}", before, _demo(before, key, **options), verdicts, published
    )


def _pod_option(key: str, verdicts: Mapping[str, str], **options: Any) -> Edit:
    """The same where the demo is a bare Pod."""
    return _option(key, verdicts, PODS, **options)


def _without(before: Config, key: str) -> Config:
    """The file without what it says there."""
    return {name: before[name] for name in before if name != key}


def updated(*keys: str) -> dict[str, str]:
    """The verdicts where these demos' Deployments are updated."""
    return {f"Deployment/{key}-demo": "update" for key in keys}


def _replaced(key: str) -> dict[str, str]:
    return {f"Pod/{key}-demo": "replace"}


_BUNDLE = ("ServiceAccount", "Role", "RoleBinding")
_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def _labeler(verdict: str, account: str, namespace: str = "edited") -> dict[str, str]:
    return {f"{kind}/{account}": verdict for kind in _BUNDLE} | {
        f"{kind}/{namespace}.{account}": verdict for kind in _POLICIES
    }


_BOUNDS = {"ValidatingAdmissionPolicy/edited.pod-resizer": "update"}


def _plugin(verdict: str, *kinds: str) -> dict[str, str]:
    """The verdicts on objects of the server that a plug-in comes from."""
    return {f"{kind}/dependency-injection-demo-source": verdict for kind in kinds}


_OTHER_PLUGIN = {
    "ConfigMap/dependency-injection-demo": "update",
    **_plugin("update", "ConfigMap"),
}
_SERVER = ("ConfigMap", "Service", "NetworkPolicy", "Deployment")

_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
_LIMITS = {"limits": {"cpu": "200m", "memory": "96Mi"}}

EDITS = [
    Edit("nothing", DEPLOYED, DEPLOYED),
    Edit("a default that is written down", DEPLOYED, _demo(DEPLOYED, "signal", intervalSeconds=10)),
    _option("signal", updated("signal"), intervalSeconds=7),
    _option("signal", updated("signal"), appIntervalSeconds=7),
    _option("signal", updated("signal"), message="Hello | `there`"),
    _option("signal", updated("signal"), timeoutSeconds=120),
    _option("signal", updated("signal"), published="fail", sidecars="classic"),
    _option("signal", updated("signal"), images={"shell": "busybox:1.37.1"}),
    _option("signal", updated("signal"), images={"signal-sender": "busybox:1.37.1"}),
    _option("signal", updated("signal"), resources={"main-app": _LIMITS}),
    _option(
        "signal",
        {**updated("signal"), "PodDisruptionBudget/signal-demo": "create"},
        replicas=2,
    ),
    _option(
        "signal",
        {"Deployment/signal-demo": "delete", "Pod/signal-demo": "create"},
        workload="pod",
    ),
    _option("shared-filesystem", updated("shared-filesystem"), published="fail", port=9090),
    _option("shared-filesystem", updated("shared-filesystem"), published="fail", port=80),
    _option("shared-filesystem", updated("shared-filesystem"), sizeLimit="2Mi"),
    _option("init-sidecar", updated("init-sidecar"), initialText="Other"),
    _option("init-sidecar", updated("init-sidecar"), updatedText="Other"),
    _option("init-sidecar", updated("init-sidecar"), sizeLimit="2Mi"),
    _option("resource", updated("resource"), loadWorkers=0),
    _option("resource", updated("resource"), published="fail", port=9090),
    _option("env-inherit", updated("env-inherit"), initialVersion="2.0.0"),
    _option(
        "env-inherit",
        {**updated("env-inherit"), **_labeler("replace", "other")},
        serviceAccount="other",
    ),
    _option(
        "env-inherit",
        {f"{kind}/edited.pod-labeler": "delete" for kind in _POLICIES},
        admissionPolicy=False,
    ),
    _option(
        "hot-reload",
        {"ConfigMap/hot-reload-demo": "update"},
        directives="return 204;",
    ),
    _option("hot-reload", updated("hot-reload"), published="fail", port=9090),
    _pod_option("hot-reload", {"ConfigMap/hot-reload-demo": "update"}, directives="return 204;"),
    Edit(
        "cert-renewal, another CA",
        DEPLOYED,
        _demo(DEPLOYED, "cert-renewal", caCertificate=_CERTIFICATE, caKey=OTHER_TOKEN),
        {"Secret/cert-renewal-demo": "update", "ConfigMap/cert-renewal-demo": "update"},
    ),
    Edit(
        "cert-renewal, another CA's key",
        DEPLOYED,
        _demo(DEPLOYED, "cert-renewal", caKey=OTHER_TOKEN),
        {"Secret/cert-renewal-demo": "update"},
    ),
    Edit(
        "cert-renewal, another CA to trust",
        DEPLOYED,
        _demo(DEPLOYED, "cert-renewal", trustedCertificates=_CERTIFICATE),
        {"ConfigMap/cert-renewal-demo": "update"},
    ),
    _option("cert-renewal", updated("cert-renewal"), hostNames=["example.org"]),
    _option("cert-renewal", updated("cert-renewal"), lifetimeSeconds=300),
    _option("cert-renewal", updated("cert-renewal"), skewSeconds=5),
    _option("cert-renewal", updated("cert-renewal"), published="fail", port=9443),
    Edit(
        "secret-rotation, another token",
        DEPLOYED,
        _demo(DEPLOYED, "secret-rotation", token=OTHER_TOKEN),
        {"Secret/secret-rotation-demo": "update"},
    ),
    Edit(
        "secret-rotation as a pod, another token",
        PODS,
        _demo(PODS, "secret-rotation", token=OTHER_TOKEN),
        {"Secret/secret-rotation-demo": "update"},
    ),
    _option("secret-rotation", updated("secret-rotation"), overlapSeconds=300),
    _option("secret-rotation", updated("secret-rotation"), published="fail", port=9090),
    _option("dependency-injection", _OTHER_PLUGIN, version="2.0.0"),
    _option("dependency-injection", _OTHER_PLUGIN, greeting="Good day"),
    _option(
        "dependency-injection", {"ConfigMap/dependency-injection-demo": "update"}, sha256="0" * 64
    ),
    _option(
        "dependency-injection",
        {
            "ConfigMap/dependency-injection-demo": "update",
            "NetworkPolicy/dependency-injection-demo": "update",
            **_plugin("delete", *_SERVER),
        },
        source="https://example.org/it.tar.gz",
        sourceCidr="192.0.2.0/24",
        sha256="0" * 64,
        size=4096,
    ),
    _option("dependency-injection", updated("dependency-injection"), appIntervalSeconds=7),
    _option("dependency-injection", updated("dependency-injection"), sizeLimit="2Mi"),
    _option(
        "dependency-injection",
        {**updated("dependency-injection"), **_plugin("update", "Deployment")},
        timeoutSeconds=120,
    ),
    _pod_option(
        "dependency-injection",
        _OTHER_PLUGIN,
        version="2.0.0",
    ),
    _option("log-processing", updated("log-processing"), intervalSeconds=7),
    _option("log-processing", updated("log-processing"), appIntervalSeconds=7),
    _option("log-processing", updated("log-processing"), maxSize="256Ki"),
    _option("log-processing", updated("log-processing"), maskedKeys=["password", "session"]),
    _option("security-scan", {"ConfigMap/security-scan-demo": "update"}, files={"one": "text"}),
    _option("security-scan", updated("security-scan"), action="signal", signal="HUP"),
    _option("security-scan", updated("security-scan"), sizeLimit="2Mi"),
    _option("security-scan", updated("security-scan"), intervalSeconds=7),
    _pod_option("security-scan", {"ConfigMap/security-scan-demo": "update"}, files={"one": "text"}),
    _option("graceful-shutdown", updated("graceful-shutdown"), preStopSeconds=6),
    _option("graceful-shutdown", updated("graceful-shutdown"), drainSeconds=20),
    _option("graceful-shutdown", updated("graceful-shutdown"), gracePeriodSeconds=60),
    _option("graceful-shutdown", updated("graceful-shutdown"), slowSeconds=2),
    _option(
        "graceful-shutdown",
        {**updated("graceful-shutdown"), "Service/graceful-shutdown-demo": "update"},
        published="fail",
        port=9090,
    ),
    _pod_option("graceful-shutdown", _replaced("graceful-shutdown"), drainSeconds=20),
    _option("health", updated("health"), published="fail", port=9090),
    _option("health", updated("health"), slowSeconds=1),
    _option("health", updated("health"), probeTimeoutSeconds=9),
    _option("health", updated("health"), failureThreshold=5),
    _option("health", updated("health"), startSeconds=9),
    _option("health", updated("health"), stopSeconds=9),
    _option("health", updated("health"), backoffSeconds=9),
    _option("health", updated("health"), restartBudget=0),
    _option("health", updated("health"), budgetSeconds=9),
    _option("health", updated("health"), dumpSignal="USR2"),
    _option("health", updated("health"), maxDumps=9),
    _pod_option("health", _replaced("health"), slowSeconds=1),
    _option("debug", updated("debug"), appIntervalSeconds=7),
    _option("debug", updated("debug"), toolbox=True),
    _option("debug", updated("debug"), toolbox=True, deadlineSeconds=60, intervalSeconds=7),
    _pod_option("debug", _replaced("debug"), toolbox=True),
    _pod_option("signal", _replaced("signal"), intervalSeconds=7),
    _pod_option("signal", _replaced("signal"), images={"shell": "busybox:1.37.1"}),
    _pod_option("signal", _replaced("signal"), resources={"main-app": _LIMITS}),
    _pod_option("signal", _replaced("signal"), sidecars="classic"),
    _pod_option("signal", {}, timeoutSeconds=120),
    _pod_option("env-inherit", {}, initialVersion="2.0.0"),
    _pod_option("init-sidecar", _replaced("init-sidecar"), appIntervalSeconds=7),
    Edit(
        "a demo more",
        DEPLOYED,
        _demo(DEPLOYED, "signal-fast", demo="signal"),
        {"Deployment/signal-fast-demo": "create"},
    ),
    Edit(
        "a demo less",
        FULL,
        {**FULL, "demos": _without(FULL["demos"], "signal-fast")},
        {"Deployment/signal-fast-demo": "delete"},
    ),
    Edit(
        "a default of all demos",
        DEPLOYED,
        {**DEPLOYED, "defaults": {"resources": _LIMITS}},
        # The containers of `resource` have limits of their own.
        {**updated(*DEMOS.keys() - {"resource"}), **_plugin("update", "Deployment")},
    ),
    Edit(
        "the same quantity in other words",
        FULL,
        _demo(FULL, "signal", resources={"main-app": {"limits": {"cpu": "0.1"}}}),
    ),
    Edit(
        "a quota",
        DEPLOYED,
        {**DEPLOYED, "quota": _ROOM},
        {"ResourceQuota/quota": "create"},
    ),
    Edit(
        "a larger quota",
        FULL,
        {**FULL, "quota": _MORE_ROOM},
        {"ResourceQuota/quota": "update"},
    ),
    Edit("no quota any more", FULL, _without(FULL, "quota"), {"ResourceQuota/quota": "delete"}),
    Edit("a budget", FULL, {**FULL, "budget": {"pods": "1"}}),
    Edit(
        "where the API server is",
        DEPLOYED,
        {**DEPLOYED, "apiServer": {"cidr": "192.0.2.10/32", "port": 6443}},
        {"NetworkPolicy/api-access": "update"},
    ),
    Edit(
        "a waiver",
        DEPLOYED,
        {
            **DEPLOYED,
            "waivers": {"probes": {"*": {"reason": "A reason.", "expires": "2030-12-31"}}},
        },
    ),
    Edit("protection", DEPLOYED, {**DEPLOYED, "protectNamespace": True}),
    Edit(
        "another namespace",
        DEPLOYED,
        {**DEPLOYED, "namespace": "renamed"},
        {
            "Namespace/renamed": "replace",
            "LimitRange/defaults": "replace",
            "NetworkPolicy/api-access": "replace",
            "NetworkPolicy/default-deny": "replace",
            "ConfigMap/hot-reload-demo": "replace",
            "ConfigMap/cert-renewal-demo": "replace",
            "Secret/cert-renewal-demo": "replace",
            "Secret/secret-rotation-demo": "replace",
            "ConfigMap/dependency-injection-demo": "replace",
            "ConfigMap/security-scan-demo": "replace",
            "NetworkPolicy/dependency-injection-demo": "replace",
            **_plugin("replace", *_SERVER),
            "Service/graceful-shutdown-demo": "replace",
            **{f"Deployment/{key}-demo": "replace" for key in DEMOS},
            **_labeler("replace", "pod-labeler", "renamed"),
            **_labeler("replace", "pod-resizer", "renamed"),
        },
    ),
    _option("resize", updated("resize"), intervalSeconds=7),
    _option("resize", updated("resize"), headroomPercent=100),
    _option("resize", updated("resize"), loadSeconds=30),
    _option("resize", {**updated("resize"), **_BOUNDS}, minCpu="20m"),
    _option("resize", {**updated("resize"), **_BOUNDS}, maxCpu="300m"),
    _option(
        "resize",
        {**updated("resize"), **_labeler("replace", "other")},
        serviceAccount="other",
    ),
    _option(
        "resize",
        {f"{kind}/edited.pod-resizer": "delete" for kind in _POLICIES},
        admissionPolicy=False,
    ),
    _pod_option("resize", {**_replaced("resize"), **_BOUNDS}, minCpu="20m"),
    _pod_option("resize", {**_replaced("resize"), **_BOUNDS}, maxCpu="300m"),
]
