from typing import Any

from components.shared_filesystem import SharedFilesystem
from tests.unit.recorder import Object, containers, pod_of, registered


def found(args: Any) -> Object:
    objects = registered(lambda: SharedFilesystem("shared-filesystem-demo", args))
    return pod_of(objects.one("Deployment"))


def test_only_the_sidecar_can_write_to_the_shared_volume() -> None:
    app, sidecar = (containers(found({}))[name] for name in ("main-app", "sidecar-config"))
    mount = next(item for item in app["volumeMounts"] if item["name"] == "shared-data")
    assert mount == {
        "name": "shared-data",
        "mountPath": "/usr/share/nginx/html",
        "readOnly": True,
    }
    assert sidecar["volumeMounts"] == [{"name": "shared-data", "mountPath": "/data"}]


def test_the_page_is_published_where_nginx_serves_it() -> None:
    app, sidecar = (containers(found({}))[name] for name in ("main-app", "sidecar-config"))
    assert app["command"][-2:] == ["/usr/share/nginx/html", "8080"]
    assert sidecar["command"][-2:] == ["/data/index.html", "10"]


def test_the_pod_is_ready_only_once_there_is_a_page() -> None:
    probe = containers(found({}))["main-app"]["readinessProbe"]
    assert probe["httpGet"] == {"path": "/", "port": "http"}


def test_the_app_starts_once_the_page_is_where_the_sidecar_publishes_it() -> None:
    sidecar = containers(found({}))["sidecar-config"]
    published = sidecar["command"][-2]
    probe = sidecar["startupProbe"]
    assert probe["exec"]["command"] == ["/bin/sh", "-c", f"[ -e {published} ]"]
    assert probe["periodSeconds"] == 1


def test_a_sidecar_that_publishes_late_has_minutes_before_it_is_started_again() -> None:
    probe = containers(found({}))["sidecar-config"]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300


def test_port_size_and_interval_are_arguments() -> None:
    pod = found({"port": 9090, "size_limit": "1Mi", "interval_seconds": 3})
    app, sidecar = (containers(pod)[name] for name in ("main-app", "sidecar-config"))
    assert app["ports"] == [{"name": "http", "containerPort": 9090}]
    assert app["command"][-1] == "9090"
    assert sidecar["command"][-1] == "3"
    assert pod["spec"]["volumes"][0]["emptyDir"] == {"sizeLimit": "1Mi"}


def test_a_low_port_needs_no_capability() -> None:
    assert "sysctls" not in found({})["spec"]["securityContext"]
    sysctls = found({"port": 80})["spec"]["securityContext"]["sysctls"]
    assert sysctls == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
