"""What a stack file may say, and what it is told when it says something else."""

import json
import re
from typing import Any

import pytest

from stacks.model import PATTERNS
from stacks.settings import PROJECT, SettingsError, Stack, decoded, encoded, read
from tests.unit.patterns import PATTERNS as COMPONENTS
from tests.unit.patterns import options_of


def parsed(demos: Any, **others: Any) -> Stack:
    config = {"namespace": "here", "demos": demos, **others}
    return read({f"{PROJECT}:{key}": value for key, value in config.items()})


def problems(demos: Any, **others: Any) -> list[str]:
    with pytest.raises(SettingsError) as error:
        parsed(demos, **others)
    return str(error.value).splitlines()


def test_a_demos_key_names_the_instance_and_by_default_the_pattern() -> None:
    stack = parsed({"signal": None, "fast": {"demo": "signal", "intervalSeconds": 2}})
    assert {key: item.pattern for key, item in stack.demos.items()} == {
        "signal": "signal",
        "fast": "signal",
    }
    assert stack.demos["fast"].name == "fast-demo"
    assert stack.demos["fast"].args["interval_seconds"] == 2


def test_what_a_demo_says_wins_over_the_stacks_defaults() -> None:
    defaults = {
        "workload": "pod",
        "sidecars": "classic",
        "timeoutSeconds": 60,
        "images": {"shell": "a:1", "curl": "c:1"},
    }
    own = {"workload": "deployment", "images": {"shell": "b:1"}}
    stack = parsed(
        {"signal": own, "slow": {"demo": "signal", "timeoutSeconds": 90}}, defaults=defaults
    )
    args = stack.demos["signal"].args
    assert (args["workload"], args["sidecars"]) == ("deployment", "classic")
    assert args["images"] == {"shell": "b:1", "curl": "c:1"}
    assert [item.args["timeout_seconds"] for item in stack.demos.values()] == [60, 90]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_argument_of_a_component_can_be_set_in_a_stack_file(pattern: str) -> None:
    component: Any = COMPONENTS[pattern]
    args = component.__init__.__annotations__["args"].__annotations__.keys()
    # The stack sets these two for all of its demos.
    assert set(PATTERNS[pattern].model_fields) - {"demo"} == args - {
        "namespace",
        "default_resources",
    }
    assert parsed({pattern: options_of(pattern)}).demos[pattern].component is component


def test_a_stack_takes_what_all_pods_of_its_demos_take() -> None:
    options = {"demo": "signal", "workload": "deployment", "replicas": 2}
    stack = parsed({"signal": {}, "twice": options}, defaults={"workload": "pod"})
    assert stack.totals == {
        "requests.cpu": "60m",
        "requests.memory": "96Mi",
        "requests.ephemeral-storage": "96Mi",
        "limits.cpu": "600m",
        "limits.memory": "384Mi",
        "limits.ephemeral-storage": "768Mi",
        "pods": "3",
    }


def test_the_engines_texts_are_read_as_what_they_mean() -> None:
    config = {
        "a:namespace": "x",
        f"{PROJECT}:namespace": "123",
        f"{PROJECT}:demos": '{"signal": {}}',
    }
    assert decoded(config)[f"{PROJECT}:namespace"] == "123"
    assert read(decoded(config)).demos.keys() == {"signal"}


def test_numbers_are_quantities_as_yaml_reads_them() -> None:
    limits = {"cpu": 2, "memory": "64Mi"}
    stack = parsed({"signal": {"resources": {"main-app": {"limits": limits}}}})
    assert stack.demos["signal"].args["resources"]["main-app"]["limits"]["cpu"] == "2"


def test_all_problems_come_at_once_each_with_its_path() -> None:
    found = problems(
        {
            "signl": {},
            "signal": {"intervalSeconds": 0, "intervall": 3},
            "resource": {"resources": {"load-generator": {"limits": {"cpu": "lots"}}}},
            "init-sidecar": {"images": {"shell": "busybox"}},
        },
        namespace="Not_A_Label",
        allowUnpinned=True,
    )
    assert len(found) >= 7
    text = "\n".join(found)
    assert "namespace: found 'Not_A_Label'" in text
    assert "allowUnpinned: is no key here" in text
    assert "did you mean allowUnpinnedImages?" in text
    assert "demos.signl: found 'signl'" in text
    assert "did you mean signal?" in text
    assert "demos.signal.intervalSeconds: found 0, allowed is at least 1" in text
    assert "demos.signal.intervall: is no key here" in text
    assert "demos.resource.resources.load-generator.limits.cpu: found 'lots'" in text
    assert "demos.init-sidecar.images.shell: found 'busybox'" in text


CASES: list[tuple[Any, str]] = [
    ({"intervalSeconds": True}, "intervalSeconds: found True, allowed is a whole number"),
    ({"intervalSeconds": 1.5}, "intervalSeconds: found 1.5, allowed is a whole number"),
    ({"intervalSeconds": float("nan")}, "intervalSeconds: found nan, allowed is a whole number"),
    ({"intervalSeconds": "10"}, "intervalSeconds: found '10', allowed is a whole number"),
    ({"intervalSeconds": -1}, "intervalSeconds: found -1, allowed is at least 1"),
    ({"workload": "job"}, "workload: found 'job', allowed is 'deployment' or 'pod'"),
    ({"workload": "pod", "replicas": 2}, "replicas: found 2, allowed with workload pod is 1"),
    ({"timeoutSeconds": 0}, "timeoutSeconds: found 0, allowed is at least 1"),
    ({"sidecars": "old"}, "sidecars: found 'old', allowed is 'native' or 'classic'"),
    ({"message": ""}, "message: found '', allowed is text"),
    ({"message": 5}, "message: found 5, allowed is text"),
    ({"images": {"shel": "a:1"}}, "images.shel: found 'shel', allowed is .* did you mean shell"),
    ({"images": {"shell": "a:latest"}}, "images.shell: found 'a:latest'"),
    ({"images": {"shell": "host:5000/a"}}, "images.shell: found 'host:5000/a'"),
    (
        {"resources": {"nobody": {}}},
        "resources.nobody: found 'nobody', allowed is main-app, signal-sender",
    ),
    (
        {"resources": {"main-app": {"limits": {"memory": "-1Mi"}}}},
        "resources.main-app.limits.memory: found '-1Mi', a quantity can't be negative",
    ),
    (
        {"resources": {"main-app": {"limits": {"memory": "1Mi"}}}},
        "resources.main-app.limits.memory: found 1Mi, allowed is at least the request, 16Mi",
    ),
    (
        {"resources": {"main-app": {"limit": {}}}},
        "resources.main-app.limit: is no key here, .* did you mean limits?",
    ),
    ({"resources": {"main-app": 5}}, "resources.main-app: found 5, allowed is a mapping"),
    (
        {"resources": {"main-app": {"limits": {"memroy": "64Mi"}}}},
        "limits.memroy: found 'memroy', allowed is cpu, .* did you mean memory?",
    ),
    ({"images": {"shell": "no such image!:1"}}, "images.shell: found 'no such image!:1'"),
    ({"interval_seconds": 3}, "interval_seconds: is no key here, .* did you mean intervalSeconds"),
    ({"demo": ["signal"]}, r"demo: found \['signal'\], allowed is shared-filesystem"),
    ({"demo": None}, "demo: found None, allowed is shared-filesystem"),
    (5, "found 5, allowed is a mapping"),
]


@pytest.mark.parametrize(("options", "message"), CASES, ids=lambda value: str(value)[:40])
def test_a_demos_options_are_checked(options: Any, message: str) -> None:
    found = problems({"signal": options})
    assert all(line.startswith("demos.signal") for line in found)
    assert any(re.search(message, line) for line in found), found


def test_one_mistake_does_not_hide_another() -> None:
    found = problems(
        {
            "signal": {
                "images": {"shel": "a:1", "shell": "a"},
                "resources": {"a": {}, "b": {}, "main-app": {"limits": {"gpu": 1, "cpu": "1m"}}},
            },
            "resource": {"resources": {"main-app": {"limits": {"memory": "1Mi"}}}},
        },
        defaults={"images": {"nginks": "a:1", "curl": "a", "shell": 5}},
        quota={"pods": "1.5"},
    )
    assert [line.partition(": ")[0] for line in found] == [
        "defaults.images.shell",
        "defaults.images.curl",
        "demos.signal.resources.main-app.limits.gpu",
        "demos.signal.images.shell",
        "demos.signal.resources.a",
        "demos.signal.resources.b",
        "demos.signal.images.shel",
        "demos.resource.resources.main-app.limits.memory",
        "defaults.images.nginks",
        "quota.pods",
        "quota.pods",
    ]


def test_the_stacks_images_may_name_containers_that_only_some_demos_have() -> None:
    defaults = {"images": {"signal-sender": "a:1"}}
    stack = parsed({"signal": {}, "resource": {}}, defaults=defaults)
    assert stack.demos["signal"].args["images"] == {"signal-sender": "a:1"}
    assert stack.demos["resource"].args["images"] == {}


def test_a_mistake_in_the_stacks_defaults_is_told_once() -> None:
    found = problems(
        {"signal": {}, "init-sidecar": {}},
        defaults={"images": {"shell": "busybox"}, "resources": {"limits": {"memory": "1Mi"}}},
    )
    assert [line.partition(":")[0] for line in found] == [
        "defaults.images.shell",
        "defaults.resources.limits.memory",
    ]


def test_a_volume_has_a_size() -> None:
    found = problems({"init-sidecar": {"sizeLimit": "0"}})
    assert found == ["demos.init-sidecar.sizeLimit: found '0', allowed is more than 0"]


def test_the_namespaces_own_service_account_is_left_alone() -> None:
    found = problems({"env-inherit": {"serviceAccount": "default"}})
    assert "demos.env-inherit.serviceAccount: found 'default'" in found[0]


def test_a_namespace_that_is_left_empty_is_missing() -> None:
    config: dict[str, Any] = {f"{PROJECT}:namespace": None, f"{PROJECT}:demos": {"signal": {}}}
    with pytest.raises(SettingsError, match=r"^namespace: is required$"):
        read(decoded(encoded(config)))


def test_a_wrong_setting_does_not_make_the_others_wrong() -> None:
    found = problems(
        {"signal": {"images": {"shell": "busybox"}}},
        namespace="UPPER",
        allowUnpinnedImages=True,
    )
    assert [line.partition(":")[0] for line in found] == ["namespace"]


@pytest.mark.parametrize(
    "namespace", ["kube-mine", "", "kube-system", "default", "UPPER", "a" * 64, "-a"]
)
def test_a_namespace_is_a_label_and_the_stacks_own(namespace: str) -> None:
    found = problems({"signal": {}}, namespace=namespace)
    assert found[0].startswith(f"namespace: found {namespace!r}")


@pytest.mark.parametrize("demos", [{}, None, [], "signal"])
def test_a_stack_has_at_least_one_demo(demos: Any) -> None:
    assert "allowed is a mapping with at least one of shared-filesystem" in problems(demos)[-1]


@pytest.mark.parametrize("key", ["Signal", "a_b", "a" * 59, "-a"])
def test_a_demos_key_becomes_a_name(key: str) -> None:
    assert f"demos.{key}: the key allows a-z, 0-9 and -" in problems({key: {"demo": "signal"}})[0]


def test_two_instances_do_not_share_a_service_account() -> None:
    both = {"env-inherit": {}, "other": {"demo": "env-inherit"}}
    accounts = [item.args.get("service_account") for item in parsed(both).demos.values()]
    assert accounts == [None, "other-pod-labeler"]
    both["other"]["serviceAccount"] = "pod-labeler"
    assert problems(both) == [
        "demos.other.serviceAccount: found 'pod-labeler', which demos.env-inherit has already"
    ]


def test_two_patterns_do_not_share_a_service_account_either() -> None:
    both: dict[str, Any] = {"resize": {}, "other": {"demo": "resize"}, "env-inherit": {}}
    accounts = [item.args.get("service_account") for item in parsed(both).demos.values()]
    assert accounts == [None, "other-pod-resizer", None]
    both["env-inherit"]["serviceAccount"] = "pod-resizer"
    assert problems(both) == [
        "demos.env-inherit.serviceAccount: found 'pod-resizer', which demos.resize has already"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minCpu": "5m"}, "minCpu: found '5m', allowed are whole millicores, 10m or more"),
        ({"maxCpu": "0.0105"}, "maxCpu: found '0.0105', allowed are whole millicores"),
        ({"minCpu": "lots"}, "minCpu: found 'lots', 'lots' is no quantity"),
        (
            {"minCpu": "100m", "maxCpu": 0.05},
            "maxCpu: found 0.05, allowed is at least minCpu, 100m",
        ),
        ({"headroomPercent": 5}, "headroomPercent: found 5, allowed is at least 10"),
        ({"loadSeconds": 0}, "loadSeconds: found 0, allowed is at least 1"),
        (
            {"resources": {"main-app": {"limits": {"cpu": "1"}}}},
            "resources: found .*, allowed for cpu of main-app are minCpu and maxCpu",
        ),
        ({"serviceAccount": "default"}, "serviceAccount: found 'default'"),
    ],
    ids=str,
)
def test_the_bounds_of_cpu_are_checked(options: Any, message: str) -> None:
    (found,) = problems({"resize": options})
    assert re.match(f"demos.resize.{message}", found), found


def test_a_quota_leaves_room_for_the_most_that_an_app_may_ask_for() -> None:
    bounds = {"minCpu": "10m", "maxCpu": 1}
    stack = parsed({"resize": {**bounds, "workload": "pod"}})
    assert stack.totals["limits.cpu"] == "1100m"
    assert stack.totals["requests.cpu"] == "1010m"
    assert problems({"resize": bounds}, quota={"limits.cpu": "2"}) == [
        "quota.limits.cpu: found 2, allowed is at least 2200m:"
        " 1100m for the demos, 1100m for a rolling update"
    ]


@pytest.mark.parametrize("address", ["10.0.0.0/33", "host", 5])
def test_the_api_servers_address_is_checked(address: Any) -> None:
    assert "apiServer.cidr: found" in problems({"signal": {}}, apiServer={"cidr": address})[0]


def test_secrets_of_other_packages_are_not_read() -> None:
    config = {f"{PROJECT}:namespace": "here", f"{PROJECT}:demos": json.dumps({"signal": {}})}
    assert read(decoded({**config, "kubernetes:context": "x", "aws:region": "y"})).demos


def test_a_key_of_a_misspelt_project_is_told() -> None:
    with pytest.raises(SettingsError) as error:
        read(
            {
                f"{PROJECT}:namespace": "here",
                f"{PROJECT}:demos": {"signal": {}},
                "sidecar-power:quota": {},
                "kubernetes:context": "x",
            }
        )
    assert str(error.value) == (
        "sidecar-power:quota: is no key of this project, did you mean sidecar-powers:quota?"
    )


def test_a_port_that_the_sidecar_needs_is_refused() -> None:
    assert problems({"hot-reload": {"port": 8999}}) == [
        "demos.hot-reload.port: found 8999, allowed is any other: nginx answers the sidecar there"
    ]


ENCRYPTED = {"secure": "v1:abc:def"}


def rotation(token: Any, **others: Any) -> dict[str, Any]:
    return {"secret-rotation": {"token": token, **others}}


def decrypted(demos: Any) -> Stack:
    """As the engine reads them."""
    return read({f"{PROJECT}:namespace": "here", f"{PROJECT}:demos": demos}, decrypted=True)


def decrypted_problems(demos: Any) -> str:
    with pytest.raises(SettingsError) as error:
        decrypted(demos)
    return str(error.value)


def test_an_encrypted_secret_is_not_read_outside_the_engine() -> None:
    assert parsed(rotation(ENCRYPTED)).demos["secret-rotation"].args["token"] == "v1:abc:def"


@pytest.mark.parametrize(
    "token",
    [
        "a-plain-text-of-somebody",
        123456789012345678,
        ["a-plain-text-of-somebody"],
        {"secure": 5},
        {"secure": "v1:abc:def", "more": "a-plain-text-of-somebody"},
        {},
        None,
    ],
    ids=str,
)
def test_a_secret_in_plain_text_is_refused_and_not_shown(token: Any) -> None:
    assert problems(rotation(token)) == [
        "demos.secret-rotation.token: allowed is an encrypted text:"
        " pulumi config set --secret --path 'demos.secret-rotation.token'"
    ]


def test_a_secret_that_is_missing_hides_no_other_mistake() -> None:
    assert problems({"secret-rotation": {"port": 0, "images": {"shel": "a:1"}}}) == [
        "demos.secret-rotation.token: is required",
        "demos.secret-rotation.port: found 0, allowed is at least 1",
        "demos.secret-rotation.images.shel: found 'shel', allowed is nginx, shell, curl, toolbox,"
        " python, main-app, token-keeper; did you mean shell?",
    ]


@pytest.mark.parametrize("token", ["x" * 16, "x" * 1024, "AZaz09-._~+/AZaz09==", "-" * 16])
def test_a_token_of_the_standards_characters_is_read_by_the_engine(token: str) -> None:
    assert decrypted(rotation(token)).demos["secret-rotation"].args["token"] == token


@pytest.mark.parametrize(
    "token",
    [
        "fifteen-letters",
        "x" * 1025,
        "with a space in it",
        'quoted-and-long-"',
        "padding=not-at-the-end",
        "================",
        "a-line-and-its-end\n",
        "v1:abc:def-as-if-encrypted",
        "umläute-sind-lang-genug",
    ],
)
def test_a_token_that_no_client_can_show_is_refused_and_not_shown(token: str) -> None:
    assert decrypted_problems(rotation(token)) == (
        "demos.secret-rotation.token: allowed are 16 to 1024 characters of"
        " A-Z a-z 0-9 - . _ ~ + /, with = at the end only"
    )


def test_a_secret_of_another_type_is_not_shown_by_the_engine_either() -> None:
    for token in (5, ["a-text-of-somebody"], {"key": "a-text-of-somebody"}, ""):
        assert decrypted_problems(rotation(token)) == (
            "demos.secret-rotation.token: allowed is an encrypted text:"
            " pulumi config set --secret --path 'demos.secret-rotation.token'"
        )


def test_a_secret_in_the_place_of_its_demo_is_not_shown() -> None:
    found = decrypted_problems({"secret-rotation": "a-text-of-somebody"})
    assert found == "demos.secret-rotation: found a secret, allowed is a mapping"


def test_the_overlap_is_in_seconds() -> None:
    args = parsed(rotation(ENCRYPTED, overlapSeconds=5)).demos["secret-rotation"].args
    assert args["overlap_seconds"] == 5
    found = problems(rotation(ENCRYPTED, overlapSeconds=0))
    assert found == ["demos.secret-rotation.overlapSeconds: found 0, allowed is at least 1"]


def cert_renewal(**options: Any) -> list[str]:
    return problems({"cert-renewal": options_of("cert-renewal", **options)})


def test_a_certificate_outlasts_the_interval_of_its_renewal() -> None:
    where = "demos.cert-renewal.lifetimeSeconds"
    assert cert_renewal(lifetimeSeconds=60) == [
        f"{where}: found 60, allowed is more than the interval, 60"
    ]
    assert cert_renewal(intervalSeconds=300, lifetimeSeconds=200) == [
        f"{where}: found 200, allowed is more than the interval, 300"
    ]


def test_a_ca_is_required_and_none_of_it_is_ever_said() -> None:
    assert problems({"cert-renewal": {}}) == [
        "demos.cert-renewal.caCertificate: is required",
        "demos.cert-renewal.caKey: is required",
    ]
    key = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"
    found = cert_renewal(caCertificate=key, trustedCertificates=key, caKey=key)
    assert [line.split(": ")[0] for line in found] == [
        f"demos.cert-renewal.{option}"
        for option in ("caCertificate", "caKey", "trustedCertificates")
    ]
    assert "abc" not in str(found)


def test_a_host_name_is_one_that_a_certificate_can_have() -> None:
    for name in ("a b", "a,DNS:b", "*", ""):
        assert "demos.cert-renewal.hostNames.0: found" in "".join(cert_renewal(hostNames=[name]))
    assert "hostNames" in "".join(cert_renewal(hostNames=[]))


def test_an_answer_of_health_is_slow_before_it_is_missing() -> None:
    where = "demos.health.probeTimeoutSeconds"
    allowed = "allowed is more than what is slow"
    assert problems({"health": {"probeTimeoutSeconds": 2}}) == [f"{where}: found 2, {allowed}, 2"]
    assert problems({"health": {"slowSeconds": 9, "probeTimeoutSeconds": 5}}) == [
        f"{where}: found 5, {allowed}, 9"
    ]
    args = parsed({"health": {"slowSeconds": 9}}).demos["health"].args
    assert "probe_timeout_seconds" not in args


def test_a_budget_of_health_may_be_none_and_its_dumps_have_an_end() -> None:
    assert parsed({"health": {"restartBudget": 0}}).demos["health"].args["restart_budget"] == 0
    assert problems({"health": {"maxDumps": 51, "dumpSignal": "QUIT"}}) == [
        "demos.health.dumpSignal: found 'QUIT', allowed is 'USR1', 'USR2' or 'HUP'",
        "demos.health.maxDumps: found 51, allowed is at most 50",
    ]
