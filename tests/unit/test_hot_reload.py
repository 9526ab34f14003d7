from typing import Any

import pytest

from components.hot_reload import HotReload
from tests.unit.hardening import users
from tests.unit.recorder import Object, Registered, containers, pod_of, registered


def found(args: Any) -> Registered:
    return registered(lambda: HotReload("hot-reload-demo", args))


def pod(args: Any) -> Object:
    return pod_of(found(args).one("Deployment"))


def mount(container: Object, volume: str) -> Object:
    return next(item for item in container["volumeMounts"] if item["name"] == volume)


def test_the_config_map_says_what_nginx_does() -> None:
    objects = found({"namespace": "here", "directives": "return 204;"})
    config_map = objects.one("ConfigMap", "hot-reload-demo")
    assert config_map["metadata"]["namespace"] == "here"
    assert config_map["data"] == {"server.conf": "return 204;"}


def test_a_new_configuration_changes_nothing_of_the_pod() -> None:
    assert pod({}) == pod({"directives": "return 204;"})


def test_the_pod_waits_for_its_config_map() -> None:
    request = found({}).requests["Deployment/hot-reload-demo"]
    assert any(urn.endswith("ConfigMap::hot-reload-demo") for urn in request.dependencies)


def test_only_the_sidecar_sees_what_has_not_been_tested() -> None:
    template = pod({})
    assert users(template, "source") == ["config-reloader"]
    app = containers(template)["main-app"]
    assert mount(app, "live")["readOnly"] is True


def test_a_configuration_is_tested_by_the_nginx_that_reads_it() -> None:
    both = containers(pod({"images": {"nginx": "nginx:1.2.3"}}))
    assert both["config-reloader"]["image"] == both["main-app"]["image"] == "nginx:1.2.3"


def test_readiness_asks_whether_nginx_listens_and_nothing_else() -> None:
    app = containers(pod({"port": 9090}))["main-app"]
    assert app["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert app["ports"] == [{"name": "http", "containerPort": 9090}]


def test_the_port_at_which_nginx_answers_the_sidecar_is_taken() -> None:
    with pytest.raises(ValueError, match="port: found 8999, allowed is any other"):
        found({"port": 8999})


def test_both_have_a_tmp_of_their_own() -> None:
    both = containers(pod({})).values()
    volumes = [
        item["name"]
        for container in both
        for item in container["volumeMounts"]
        if item["mountPath"] == "/tmp"
    ]
    assert len(volumes) == len(set(volumes)) == 2
