from typing import Any

import pytest

from components.security_scan import SecurityScan
from stacks.settings import PROJECT, SettingsError, read
from tests.unit.hardening import assert_hardened, users
from tests.unit.recorder import Object, Registered, containers, pod_of, registered

NAME = "security-scan-demo"


def found(args: Any) -> Registered:
    return registered(lambda: SecurityScan(NAME, args))


def pod(args: Any) -> Object:
    return pod_of(found(args).one("Deployment"))


def read_only(container: Object) -> dict[str, bool]:
    """Its volumes, and whether it can't write to them."""
    return {item["name"]: item.get("readOnly", False) for item in container["volumeMounts"]}


SIGNAL = {"action": "signal"}


def test_the_config_map_says_what_may_be_there() -> None:
    objects = found({"namespace": "here", "files": {"a": "b"}})
    config_map = objects.one("ConfigMap", NAME)
    assert config_map["metadata"]["namespace"] == "here"
    assert config_map["data"] == {"a": "b"}
    needs = objects.requests[f"Deployment/{NAME}"].dependencies
    assert any(urn.endswith(f"ConfigMap::{NAME}") for urn in needs)


def test_other_files_change_nothing_of_the_pod() -> None:
    assert pod({}) == pod({"files": {"a": "b"}})


@pytest.mark.parametrize("args", [{}, SIGNAL], ids=["report", "signal"])
def test_the_baseline_is_out_of_the_apps_reach(args: Any) -> None:
    template = pod(args)
    assert_hardened(template)
    assert users(template, "baseline") == ["scanner"]
    assert users(template, "published") == ["scanner", "publisher"]
    assert users(template, "publisher-tmp") == ["scanner", "publisher"]
    # With shared processes one user reaches every other container's files.
    assert not template["spec"].get("shareProcessNamespace", False)


@pytest.mark.parametrize("args", [{}, SIGNAL], ids=["report", "signal"])
def test_nobody_who_writes_to_the_volume_writes_what_it_is_judged_by(args: Any) -> None:
    all_containers = containers(pod(args))
    for container in all_containers.values():
        mounts = read_only(container)
        if not mounts["content"]:
            assert mounts.get("published", True)
            assert mounts.get("verdict", True)
            assert "baseline" not in mounts
    assert read_only(all_containers["scanner"]) == {
        "published": True,
        "content": True,
        "publisher-tmp": True,
        "baseline": False,
        "verdict": False,
    }


def test_an_app_that_is_not_signalled_knows_of_no_verdict() -> None:
    template = pod({})
    assert users(template, "verdict") == ["scanner", "publisher"]
    assert read_only(containers(template)["main-app"]) == {"content": False}


def test_an_app_that_is_signalled_reads_the_verdict_and_signals_itself() -> None:
    template = pod({**SIGNAL, "signal": "USR2", "interval_seconds": 7})
    app = containers(template)["main-app"]
    assert read_only(app) == {"content": False, "verdict": True, "tmp": False}
    words = app["command"]
    assert words[3:8] == ["main-app", "/verdict", "USR2", "7", "/bin/sh"]
    assert words[-4:] == ["main-app", "/srv/app", "USR2", "10"]


def test_the_app_starts_once_a_scanner_looks_and_its_files_are_there() -> None:
    first, second = pod({})["spec"]["initContainers"]
    assert (first["name"], second["name"]) == ("scanner", "publisher")
    probes = [item["startupProbe"]["exec"]["command"][-1] for item in (first, second)]
    assert probes == ["[ -e /verdict/status ]", "[ -e /tmp/done ]"]


def test_the_scanner_reads_what_the_publisher_says_is_done() -> None:
    sidecars = containers(pod({}))
    mounts = sidecars["scanner"]["volumeMounts"]
    (directory,) = [it["mountPath"] for it in mounts if it["name"] == "publisher-tmp"]
    assert f"{directory}/done" in sidecars["scanner"]["command"]
    own = {it["name"]: it["mountPath"] for it in sidecars["publisher"]["volumeMounts"]}
    assert own["publisher-tmp"] == "/tmp"


def test_no_finding_takes_a_pod_out_of_service() -> None:
    for container in containers(pod(SIGNAL)).values():
        assert "readinessProbe" not in container
        assert "livenessProbe" not in container


def test_sizes_and_intervals_are_as_given() -> None:
    template = pod({"size_limit": "1Mi", "interval_seconds": 7})
    sizes = {
        item["name"]: item["emptyDir"]["sizeLimit"] for item in template["spec"]["volumes"][1:]
    }
    assert sizes["content"] == "1Mi"
    assert containers(template)["scanner"]["command"][-1] == "7"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"action": "sginal"}, "action: found 'sginal', allowed is report, signal; did you mean"),
        ({"signal": "USR1"}, "signal: found 'USR1', allowed is HUP, USR1, USR2"),
        ({**SIGNAL, "signal": "TERM"}, "signal: found 'TERM', allowed is HUP, USR1, USR2"),
        ({"files": {"a/b": ""}}, "files: found 'a/b', allowed is a plain name"),
        ({"files": {"..": ""}}, "files: found '..', allowed is a plain name"),
        ({"files": {"a\n": ""}}, "files: found 'a.n', allowed is a plain name"),
        ({"files": {"x" * 254: ""}}, "files: found 'xxx"),
        ({"file": {}}, "file: is no key here"),
    ],
)
def test_arguments_that_do_not_fit_register_nothing(args: Any, message: str) -> None:
    def program() -> None:
        with pytest.raises(ValueError, match=message):
            SecurityScan(NAME, args)

    assert registered(program) == []


@pytest.mark.parametrize("name", [".htaccess", "a.b-c_D.1", "x..."])
def test_whatever_a_config_map_may_have_as_a_key_may_be_published(name: str) -> None:
    assert found({"files": {name: "text"}}).one("ConfigMap")["data"] == {name: "text"}


@pytest.mark.parametrize(
    ("demo", "message"),
    [
        ({"files": {"a/b": ""}}, "allowed is a plain name of A-Z a-z 0-9 - _ ."),
        ({"files": {"..a": ""}}, "allowed is a plain name of A-Z a-z 0-9 - _ ."),
        ({"files": {}}, "files: found {}, allowed is"),
        ({"files": {"a": 1}}, "files.a: found 1, allowed is text"),
        ({"action": "repot"}, "allowed is report, signal; did you mean report?"),
        ({"signal": "HUP"}, "signal: found 'HUP', allowed is with action signal"),
        ({**SIGNAL, "signal": "KILL"}, "allowed is HUP, USR1, USR2"),
        ({"sizeLimit": 0}, "sizeLimit: found 0, allowed is more than 0"),
    ],
)
def test_a_stack_file_is_told_what_does_not_fit(demo: Object, message: str) -> None:
    config = {"namespace": "here", "demos": {"it": {"demo": "security-scan", **demo}}}
    with pytest.raises(SettingsError) as error:
        read({f"{PROJECT}:{name}": value for name, value in config.items()})
    (line,) = str(error.value).splitlines()
    assert line.startswith("demos.it.")
    assert message in line
