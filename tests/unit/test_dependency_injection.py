import base64
import gzip
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from components.dependency_injection import DependencyInjection
from components.plugin_offer import egress_to_url, greeter
from components.usage import total, workload_usage
from stacks.settings import PROJECT, SettingsError, read
from tests.unit.hardening import assert_hardened, users
from tests.unit.recorder import Object, Registered, containers, outputs, pod_of, registered

NAME, SOURCE = "dependency-injection-demo", "dependency-injection-demo-source"
URL, DIGEST = "https://example.org/it.tar.gz", "0" * 64


def found(args: Any) -> Registered:
    return registered(lambda: DependencyInjection(NAME, args))


def pod(args: Any) -> Object:
    return pod_of(found(args).one("Deployment", NAME))


def offered(args: Any) -> Object:
    return found(args).one("ConfigMap", NAME)["data"]


def test_the_bundle_that_is_served_is_the_one_that_is_wanted() -> None:
    objects = found({"version": "2.0.0", "greeting": "Good day"})
    ((file, text),) = objects.one("ConfigMap", SOURCE)["binaryData"].items()
    bundle, offer = base64.b64decode(text), objects.one("ConfigMap", NAME)["data"]
    assert offer["sha256"] == hashlib.sha256(bundle).hexdigest()
    assert (offer["version"], offer["size"]) == ("2.0.0", str(len(bundle)))
    # Nobody has given the Service an address, so its name stands for it.
    assert offer["url"] == f"http://{SOURCE}.default.svc:8080/{file}"
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        assert archive.getnames() == ["plugin.sh", "greeting", "version"]


def test_a_bundle_is_the_same_bytes_on_every_machine() -> None:
    bundle, _ = greeter({})
    # A header without a time and a name, and a block that is not compressed.
    assert bundle[:10] == bytes.fromhex("1f8b08000000000000ff")
    assert len(bundle) > len(gzip.decompress(bundle))
    digest = hashlib.sha256(bundle).hexdigest()
    assert digest == "d6f3abcab5740e7d74b412878c0da93e0ea588a2a17a8d2d000ba62cb7413eb3"


@pytest.mark.parametrize("other", [{"version": "2.0.0"}, {"greeting": "Good day"}])
def test_another_bundle_has_another_name_and_changes_no_pod(other: Object) -> None:
    before, after = found({}), found(other)
    for name in (NAME, SOURCE):
        assert before.one("Deployment", name) == after.one("Deployment", name)
    urls = {objects.one("ConfigMap", NAME)["data"]["url"] for objects in (before, after)}
    assert len(urls) == 2


def test_a_bundle_is_offered_once_its_source_is_ready() -> None:
    objects = found({})
    needs = objects.requests[f"ConfigMap/{NAME}"].dependencies
    assert any(urn.endswith(f"Deployment::{SOURCE}") for urn in needs)
    needs = objects.requests[f"Deployment/{NAME}"].dependencies
    assert any(urn.endswith(f"ConfigMap::{NAME}") for urn in needs)


def test_only_the_fetcher_can_write_and_only_it_knows_the_offer() -> None:
    template = pod({})
    assert users(template, "offer") == ["plugin-fetcher"]
    (mount,) = containers(template)["main-app"]["volumeMounts"]
    assert mount == {"name": "plugins", "mountPath": "/plugins", "readOnly": True}


def test_the_app_starts_once_there_is_a_bundle_and_the_probe_says_why_there_is_none(
    tmp_path: Path,
) -> None:
    probe = containers(pod({}))["plugin-fetcher"]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300
    *shell, text = probe["exec"]["command"]
    command = [*shell, text.replace("/plugins", str(tmp_path))]

    def asked() -> tuple[bool, str]:
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode == 0, done.stdout

    # The fetcher has only been started.
    assert asked() == (False, "")
    (tmp_path / "status").write_text("cannot fetch\n")
    assert asked() == (False, "cannot fetch\n")
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "plugin.sh").touch()
    assert asked() == (True, "")


def test_a_bundle_is_no_larger_than_the_volume_for_it() -> None:
    template = pod({"size_limit": "1Mi", "interval_seconds": 7, "app_interval_seconds": 3})
    both = containers(template)
    assert both["plugin-fetcher"]["command"][-2:] == [str(1 << 20), "7"]
    assert both["main-app"]["command"][-1] == "3"
    sizes = {item["emptyDir"]["sizeLimit"] for item in template["spec"]["volumes"][1:]}
    assert sizes == {"1Mi"}


def test_the_server_is_hardened_and_sized_like_the_rest() -> None:
    images = {"shell": "example.org/shell:1", "plugin-fetcher": "example.org/fetcher:1"}
    limits = {"plugin-source": {"limits": {"memory": "32Mi"}}}
    objects = found({"namespace": "here", "images": images, "resources": limits})
    server = objects.one("Deployment", SOURCE)
    assert_hardened(pod_of(server))
    container = containers(pod_of(server))["plugin-source"]
    assert container["image"] == "example.org/shell:1"
    assert container["resources"]["limits"]["memory"] == "32Mi"
    assert {item["metadata"]["namespace"] for item in objects} == {"here"}


@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_no_pod_of_the_server_counts_as_one_of_the_app(kind: str) -> None:
    objects = found({"workload": kind.lower()})
    app, server = objects.one(kind, NAME), objects.one("Deployment", SOURCE)
    labels = pod_of(app)["metadata"]["labels"]
    selected = server["spec"]["selector"]["matchLabels"]
    assert not selected.items() <= labels.items()
    assert labels["app.kubernetes.io/instance"] == NAME
    assert objects.one("Service")["spec"]["selector"] == selected


def test_only_the_app_reaches_the_server_and_nothing_else() -> None:
    objects = found({})
    app = pod_of(objects.one("Deployment", NAME))["metadata"]["labels"]
    server = pod_of(objects.one("Deployment", SOURCE))["metadata"]["labels"]
    out, into = (objects.one("NetworkPolicy", name)["spec"] for name in (NAME, SOURCE))
    assert (out["policyTypes"], into["policyTypes"]) == (["Egress"], ["Ingress"])
    assert out["podSelector"]["matchLabels"].items() <= app.items()
    assert into["podSelector"]["matchLabels"].items() <= server.items()
    (rule,) = out["egress"]
    assert rule["to"] == [{"podSelector": into["podSelector"]}]
    (rule,) = into["ingress"]
    assert rule["from"] == [{"podSelector": out["podSelector"]}]
    assert rule["ports"] == out["egress"][0]["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_a_source_elsewhere_needs_no_server() -> None:
    args = {"source": URL, "sha256": DIGEST, "source_cidr": "192.0.2.0/24", "size": 5}
    objects = found(args)
    assert sorted(objects.names) == [
        f"{kind}/{NAME}" for kind in ("ConfigMap", "Deployment", "NetworkPolicy")
    ]
    assert objects.one("ConfigMap")["data"] == {
        "url": URL,
        "sha256": DIGEST,
        "version": "0" * 12,
        "size": "5",
    }
    rule = objects.one("NetworkPolicy")["spec"]["egress"][0]
    assert rule == {
        "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 443}],
    }


NAMES = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}


@pytest.mark.parametrize(
    ("url", "port", "others"),
    [
        (URL, 443, [NAMES]),
        ("http://example.org/it", 80, [NAMES]),
        ("http://192.0.2.1:8000/it", 8000, []),
        ("http://[2001:db8::1]/it", 80, []),
    ],
)
def test_only_who_must_look_up_a_name_may(url: str, port: int, others: list[Object]) -> None:
    first, *rest = egress_to_url(url, None)
    assert first == {"ports": [{"protocol": "TCP", "port": port}]}
    assert rest == others


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"source": URL}, "source: found no sha256 with it"),
        ({"source": URL, "sha256": DIGEST, "greeting": "x"}, "source: found a greeting with it"),
        ({"size": 5}, "size: found without source"),
        ({"source": "ftp://example.org/it", "sha256": DIGEST}, "allowed are URLs such as"),
        ({"source": "https://me:secret@example.org/it", "sha256": DIGEST}, "no credentials"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_registered(
    args: Any, message: str
) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            DependencyInjection(NAME, args)

    assert registered(program) == []


def test_the_servers_pod_counts_in_outputs_and_totals() -> None:
    args: Any = {"resources": {"plugin-source": {"limits": {"memory": "32Mi"}}}}
    values: Object = {}

    def program() -> None:
        values.update(all=outputs(DependencyInjection(NAME, args), ["usage", "limits"]))

    objects = registered(program)
    assert values["all"]["usage"]["pods"] == "2"
    assert values["all"]["usage"]["limits.memory"] == "160Mi"
    # What each of the app's pods takes is without it.
    assert values["all"]["limits"]["memory"] == "128Mi"
    counted = total(map(workload_usage, objects))
    assert (counted["pods"], counted["limits.memory"]) == (2, 160 << 20)


def refused(demo: Object, key: str = "it", **others: Any) -> list[str]:
    config = {"namespace": "here", "demos": {key: {"demo": "dependency-injection", **demo}}}
    with pytest.raises(SettingsError) as error:
        read({f"{PROJECT}:{name}": value for name, value in {**config, **others}.items()})
    return str(error.value).splitlines()


def test_the_servers_pod_counts_in_the_quota() -> None:
    assert refused({"replicas": 2}, quota={"pods": "3"}) == [
        "quota.pods: found 3, allowed is at least 4: 3 for the demos, 1 for a rolling update"
    ]


@pytest.mark.parametrize(
    ("demo", "message"),
    [
        ({"source": URL}, f"source: found '{URL}', allowed is a source with sha256"),
        ({"source": "file:///etc/passwd", "sha256": DIGEST}, "source: allowed are URLs such as"),
        ({"source": f"{URL} x", "sha256": DIGEST}, "allowed are URLs such as"),
        ({"source": "https://x:99999/it", "sha256": DIGEST}, "allowed are URLs such as"),
        ({"size": 5}, "size: found 5, allowed is with source"),
        ({"sourceCidr": "192.0.2.0/24"}, "allowed is with source"),
        ({"sha256": "abc"}, "sha256: found 'abc', allowed is text that matches"),
        ({"source": URL, "sha256": "abc"}, "sha256: found 'abc', allowed is text that matches"),
        ({"greeting": "a\nb"}, "greeting: found 'a\\nb', allowed is text that matches"),
        ({"version": "1 0"}, "version: found '1 0', allowed is text that matches"),
        ({"resources": {"plugin-sorce": {}}}, "did you mean plugin-source?"),
    ],
)
def test_a_stack_file_is_told_what_does_not_fit(demo: Object, message: str) -> None:
    assert any(line.startswith("demos.it.") and message in line for line in refused(demo))


def test_a_password_in_a_url_is_not_repeated() -> None:
    (line,) = refused({"source": "https://me:hunter2@example.org/it", "sha256": DIGEST})
    assert "hunter2" not in line
    assert line.endswith("no credentials")


@pytest.mark.parametrize("key", ["x" * 52, "1-it"])
def test_the_servers_service_needs_a_name_that_is_one(key: str) -> None:
    (line,) = refused({}, key=key)
    assert line == (
        f"demos.{key}: found '{key}-demo-source' for an object,"
        " allowed are 63 characters, first a letter"
    )
