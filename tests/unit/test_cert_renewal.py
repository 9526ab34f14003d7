import base64
from typing import Any

import pytest

from components.cert_renewal import CertRenewal
from tests.unit.hardening import users
from tests.unit.recorder import Object, Registered, containers, pod_of, registered

NEEDED: dict[str, Any] = {"ca_certificate": "certificate A\n", "ca_key": "the key"}


def found(args: Any) -> Registered:
    given: Any = {**NEEDED, **args}
    return registered(lambda: CertRenewal("cert-renewal-demo", given))


def pod(args: Any) -> Object:
    return pod_of(found(args).one("Deployment"))


def arguments(args: Any) -> list[str]:
    """What the sidecar's program is told: CA, folder, names, port, interval, lifetime, skew."""
    return containers(pod(args))["cert-renewer"]["command"][6:]


def volume(template: Object, name: str) -> Object:
    return next(item for item in template["spec"]["volumes"] if item["name"] == name)


SECRET = "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi marks a secret on the wire."""


def test_the_secret_holds_the_ca_in_the_form_that_kubernetes_has_for_it() -> None:
    secret = found({"namespace": "here"}).one("Secret", "cert-renewal-demo")
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["namespace"] == "here"
    assert secret["metadata"]["labels"]["app.kubernetes.io/instance"] == "cert-renewal-demo"
    data = secret["data"]["value"]
    assert {key: base64.b64decode(data[key]).decode() for key in data} == {
        "tls.crt": "certificate A\n",
        "tls.key": "the key",
    }


def test_the_key_is_a_secret_to_the_engine_even_if_it_was_given_in_clear() -> None:
    objects = found({})
    assert SECRET in objects.one("Secret")["data"].values()
    encoded = base64.b64encode(b"the key").decode()
    others = [str(item) for item in objects if item["kind"] != "Secret"]
    assert not any("the key" in text or encoded in text for text in others)


def test_clients_find_all_cas_that_they_are_to_trust_in_the_config_map() -> None:
    assert found({}).one("ConfigMap")["data"] == {"ca.crt": "certificate A\n"}
    trusted = {"trusted_certificates": "certificate B\n\ncertificate C"}
    assert found(trusted).one("ConfigMap")["data"] == {
        "ca.crt": "certificate A\ncertificate B\n\ncertificate C\n"
    }


def test_another_ca_changes_nothing_of_the_pod() -> None:
    other = {"ca_certificate": "B", "ca_key": "b", "trusted_certificates": "A"}
    assert pod({}) == pod(other)


def test_the_pod_waits_for_its_secret_and_its_config_map() -> None:
    request = found({}).requests["Deployment/cert-renewal-demo"]
    names = {urn.split("::")[-2].rpartition(":")[2] for urn in request.dependencies}
    assert {"Secret", "ConfigMap"} <= names


def test_only_the_sidecar_has_the_ca_and_no_other_container_sees_its_processes() -> None:
    template = pod({})
    assert users(template, "ca") == ["cert-renewer"]
    assert "shareProcessNamespace" not in template["spec"]
    mounts = containers(template)["cert-renewer"]["volumeMounts"]
    assert next(item for item in mounts if item["name"] == "ca")["readOnly"] is True
    assert volume(template, "ca")["secret"] == {
        "secretName": "cert-renewal-demo",
        "defaultMode": 0o440,
        "optional": True,
    }


def test_what_the_app_reads_is_in_memory_and_none_of_its_own_writing() -> None:
    template = pod({})
    assert volume(template, "live")["emptyDir"]["medium"] == "Memory"
    mounts = containers(template)["main-app"]["volumeMounts"]
    assert next(item for item in mounts if item["name"] == "live")["readOnly"] is True


def test_readiness_asks_whether_nginx_listens_and_nothing_else() -> None:
    app = containers(pod({"port": 9443}))["main-app"]
    assert app["readinessProbe"]["tcpSocket"] == {"port": "https"}
    assert app["ports"] == [{"name": "https", "containerPort": 9443}]


def test_defaults_and_options_reach_the_program() -> None:
    names = "cert-renewal-demo,cert-renewal-demo.here.svc,localhost"
    assert arguments({"namespace": "here"})[2:] == [names, "8443", "60", "180", "60"]
    options = {
        "host_names": ["example.org", "*.example.org"],
        "port": 9443,
        "interval_seconds": 5,
        "skew_seconds": 0,
    }
    assert arguments(options)[2:] == ["example.org,*.example.org", "9443", "5", "15", "0"]
    assert arguments({"lifetime_seconds": 61})[5] == "61"


@pytest.mark.parametrize("lifetime", [59, 60, -1])
def test_a_certificate_that_ends_before_the_next_is_refused(lifetime: int) -> None:
    with pytest.raises(ValueError, match=f"lifetime_seconds: found {lifetime}, allowed is more"):
        found({"lifetime_seconds": lifetime})


@pytest.mark.parametrize("name", ["", "a b", "a,DNS:b", "A\nx = y", "*", "a.*", "-a", "1.2.3.4/x"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"host_names: found .*, allowed is a DNS name"):
        found({"host_names": [name]})
