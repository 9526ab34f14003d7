from typing import Any

from components.parts import API_ACCESS
from components.restricted_namespace import RestrictedNamespace
from tests.unit.patterns import PATTERNS, args_of
from tests.unit.recorder import Registered, pod_of, registered


def found(args: Any) -> Registered:
    return registered(lambda: RestrictedNamespace("here", args))


def test_pod_security_restricted_is_enforced() -> None:
    labels = found({}).one("Namespace", "here")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_protection_is_the_namespaces_alone() -> None:
    requests = found({"protect": True, "quota": {"pods": "1"}}).requests
    assert {name for name in requests if requests[name].protect} == {"Namespace/here"}
    assert not found({}).requests["Namespace/here"].protect


def test_containers_that_say_nothing_get_small_resources() -> None:
    limit = found({}).one("LimitRange")["spec"]["limits"][0]
    assert limit["type"] == "Container"
    assert limit["default"].keys() == limit["defaultRequest"].keys()
    assert "memory" in limit["default"]


def test_a_quota_is_created_if_one_is_given() -> None:
    quota = found({"quota": {"pods": "3"}}).one("ResourceQuota")
    assert quota["spec"] == {"hard": {"pods": "3"}}
    assert found({"quota": {}}).of("ResourceQuota") == []


def test_all_traffic_is_denied_by_default() -> None:
    policy = found({}).one("NetworkPolicy", "default-deny")
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_pods_with_api_access_reach_the_api_server() -> None:
    spec = found({}).one("NetworkPolicy", "api-access")["spec"]
    assert spec["podSelector"] == {"matchLabels": API_ACCESS}
    assert spec["egress"] == [
        {"ports": [{"protocol": "TCP", "port": port} for port in (443, 6443)]}
    ]


def test_the_api_servers_address_narrows_it() -> None:
    args = {"api_server": {"cidr": "10.96.0.1/32", "port": 443}}
    assert found(args).one("NetworkPolicy", "api-access")["spec"]["egress"] == [
        {
            "ports": [{"protocol": "TCP", "port": 443}],
            "to": [{"ipBlock": {"cidr": "10.96.0.1/32"}}],
        }
    ]


def test_only_pods_that_change_themselves_carry_the_label() -> None:
    def program() -> None:
        for pattern, component in PATTERNS.items():
            component(f"{pattern}-demo", args_of(pattern))

    for workload in registered(program).of("Deployment"):
        labels = pod_of(workload)["metadata"]["labels"]
        name = workload["metadata"]["name"]
        assert (API_ACCESS.items() <= labels.items()) == (
            name in ("env-inherit-demo", "resize-demo")
        )
