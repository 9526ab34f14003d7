"""Whatever a stack file says: it deploys hardened pods, or every problem has a path."""

import re
import runpy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import set_all_config

from stacks.model import PATTERNS
from stacks.settings import SettingsError, encoded, read
from tests.unit.hardening import assert_hardened
from tests.unit.patterns import options_of
from tests.unit.recorder import pod_of, registered
from tools import paths

CONTAINERS = ["main-app", "sidecar-config", "signal-sender", "load-generator", "nobody"]
QUANTITIES = st.sampled_from(["10m", "100m", "1", 2, "64Mi", "1Gi", "0", "-1", "lots", None, True])
AMOUNTS = st.dictionaries(st.sampled_from(["cpu", "memory", "memroy"]), QUANTITIES, max_size=2)
RESOURCES = st.one_of(
    st.none(),
    st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS, "limit": AMOUNTS}),
)
IMAGES = st.dictionaries(
    st.sampled_from(["nginx", "shell", "curl", *CONTAINERS]),
    st.sampled_from(["a:1", "a", "a:latest", "host:5000/a", "host:5000/a:1", "", 1]),
    max_size=2,
)
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 100), st.floats(), st.text(max_size=3)
)
OPTIONS = {
    "intervalSeconds": st.one_of(st.integers(-1, 100), ANYTHING),
    "replicas": st.one_of(st.integers(0, 3), ANYTHING),
    "workload": st.sampled_from(["deployment", "pod", "job"]),
    "sidecars": st.sampled_from(["native", "classic", "old"]),
    "images": st.one_of(IMAGES, ANYTHING),
    "resources": st.one_of(
        st.dictionaries(st.sampled_from(CONTAINERS), RESOURCES, max_size=2), ANYTHING
    ),
    "port": ANYTHING,
    "message": ANYTHING,
    "intervall": ANYTHING,
    "demo": st.one_of(st.sampled_from([*PATTERNS]), ANYTHING, st.lists(st.text())),
    "serviceAccount": st.sampled_from(["one", "default", "", 5]),
    "sizeLimit": QUANTITIES,
}
DEMO = st.one_of(ANYTHING, st.fixed_dictionaries({}, optional=OPTIONS))
GOOD: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "intervalSeconds": st.integers(1, 100),
        "replicas": st.just(1),
        "workload": st.sampled_from(["deployment", "pod"]),
        "sidecars": st.sampled_from(["native", "classic"]),
        "resources": st.fixed_dictionaries(
            {}, optional={"main-app": st.just({"limits": {"cpu": "2", "memory": "1Gi"}})}
        ),
        "images": st.dictionaries(st.sampled_from(["nginx", "shell"]), st.just("a:1"), max_size=2),
    },
)


def fitting(pattern: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options that this pattern has too."""
    if pattern == "resize" and options.get("resources"):
        # What CPU its app gets say minCpu and maxCpu.
        return {**options, "resources": {"main-app": {"limits": {"memory": "1Gi"}}}}
    return options


NAMES = st.sampled_from([*PATTERNS, "signl", "a-b", "-a", "A"])
STACK = st.fixed_dictionaries(
    {"sidecar-powers:namespace": st.sampled_from(["here", "UPPER", "kube-system"])},
    optional={
        "sidecar-powers:demos": st.dictionaries(NAMES, DEMO, max_size=3),
        "sidecar-powers:quota": st.dictionaries(
            st.sampled_from(["pods", "limits.cpu", "limit.cpu"]), QUANTITIES, max_size=2
        ),
        "sidecar-powers:apiServer": ANYTHING,
        "sidecar-powers:unknown": ANYTHING,
    },
)
GOOD_STACK: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "sidecar-powers:namespace": st.just("here"),
        "sidecar-powers:demos": st.dictionaries(st.sampled_from([*PATTERNS]), GOOD, min_size=1).map(
            lambda demos: {key: options_of(key, **fitting(key, demos[key])) for key in demos}
        ),
    }
)
LINE = re.compile(
    r"(namespace|demos|quota|apiServer|unknown|defaults)(\.[-\w]+)*: "
    r"(found .*(allowed|negative)|is required|is no key here, allowed|allowed|the key allows)"
)


@given(STACK)
@settings(max_examples=200, deadline=None)
def test_a_stack_file_deploys_hardened_pods_or_is_refused_with_paths(
    config: dict[str, Any],
) -> None:
    try:
        read(config)
    except SettingsError as error:
        for line in str(error).splitlines():
            assert LINE.match(line), line
    else:
        deploys_hardened_pods(config)


@given(GOOD_STACK)
@settings(max_examples=30, deadline=None)
def test_sensible_stack_files_are_accepted(config: dict[str, Any]) -> None:
    deploys_hardened_pods(config)


def deploys_hardened_pods(config: dict[str, Any]) -> None:
    def program() -> None:
        set_all_config(encoded(config))
        runpy.run_path(str(paths.ROOT), run_name="__main__")

    workloads = registered(program).of("Deployment", "Pod")
    names = [name for demo in read(config).demos.values() for name in demo.workloads]
    assert sorted(item["metadata"]["name"] for item in workloads) == sorted(names)
    for workload in workloads:
        assert_hardened(pod_of(workload))
