from typing import Any

from components.init_sidecar import InitSidecar
from tests.unit.recorder import Object, containers, pod_of, registered


def found(args: Any) -> Object:
    return pod_of(registered(lambda: InitSidecar("init-sidecar-demo", args)).one("Deployment"))


def test_the_first_configuration_is_written_before_anything_else_starts() -> None:
    spec = found({})["spec"]
    assert [item["name"] for item in spec["initContainers"]] == [
        "init-config",
        "sidecar-config-updater",
    ]
    assert spec["initContainers"][0]["command"][-2:] == ["/config/config.ini", "Initial config"]
    assert "restartPolicy" not in spec["initContainers"][0]


def test_both_writers_run_the_same_script() -> None:
    both = containers(found({}))
    init, updater = both["init-config"]["command"], both["sidecar-config-updater"]["command"]
    assert init[:3] == updater[:3]
    assert updater[-3:] == ["/config/config.ini", "Updated config", "60"]


def test_the_app_reads_what_they_write_and_cannot_write_itself() -> None:
    app = containers(found({}))["main-app"]
    assert app["volumeMounts"] == [{"name": "config-vol", "mountPath": "/app", "readOnly": True}]
    assert app["command"][-2:] == ["/app/config.ini", "30"]


def test_texts_and_intervals_are_arguments() -> None:
    args = {
        "initial_text": "one",
        "updated_text": "two",
        "interval_seconds": 5,
        "app_interval_seconds": 2,
    }
    both = containers(found(args))
    assert both["init-config"]["command"][-1] == "one"
    assert both["sidecar-config-updater"]["command"][-2:] == ["two", "5"]
    assert both["main-app"]["command"][-1] == "2"
