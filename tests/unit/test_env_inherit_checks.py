"""The checks of env inherit pass on what it promises, and on nothing less."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from components.checks import Line, env_inherit
from components.manifest import Object
from tests.unit.simulated import (
    always,
    every,
    looked,
    named,
    refused,
    unchanging,
)

LABELS = env_inherit.checks({})


def version(now: float) -> str:
    return f"v{int(now // 30)}"


def in_file(_container: str, _command: str, now: float) -> str:
    return version(now - 3)


def labelled(now: float) -> Object:
    return {"metadata": {"name": "own", "labels": {"version": version(now)}}}


def printed(delay: float) -> list[Line]:
    return every(10, lambda time: f"APP_VERSION={version(max(0, time - delay))}")


def test_a_label_that_reaches_file_and_log_passes() -> None:
    check = named(LABELS, "label reaches the app")
    logs = {"main-app": printed(5)}
    seen = looked(check, manifest=labelled, logs=logs, answer=in_file)
    assert re.match(r"version=v4 in the file after 3 s, in the log after 1?\d s", seen)


@pytest.mark.parametrize(
    ("pod", "seen"),
    [
        ({"manifest": unchanging(labelled(100))}, "still v3"),
        ({"manifest": labelled, "answer": always("v3")}, "in the file still v3"),
        (
            {"manifest": labelled, "answer": always("v4"), "logs": {"main-app": printed(900)}},
            "in the log ['v0'",
        ),
    ],
)
def test_a_label_that_goes_no_further_fails(pod: dict[str, Any], seen: str) -> None:
    assert seen in refused(named(LABELS, "label reaches the app"), **pod)


TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def spec(path: str = "", volume: str = "api-token", **volumes: Object) -> Callable[[float], Object]:
    """A pod whose updater has the token, and whose app has a volume at that path."""
    credentials = {"name": "api-token", "mountPath": env_inherit.CREDENTIALS}
    mounts = [{"name": volume, "mountPath": path}] if path else []
    names = {"api-token": TOKEN, **volumes}
    return unchanging(
        {
            "spec": {
                "containers": [{"name": "main-app", "volumeMounts": mounts}],
                "initContainers": [{"name": "version-updater", "volumeMounts": [credentials]}],
                "volumes": [{"name": name, **kind} for name, kind in names.items()],
            }
        }
    )


def present(container: str, command: str, _now: float) -> str:
    if container == "version-updater":
        return "present"
    return "/data/found\nlooked" if " /data;" in command else "looked"


def test_a_token_in_the_sidecar_alone_passes() -> None:
    check = named(LABELS, "token only in the sidecar")
    assert looked(check, manifest=spec(), answer=present)


@pytest.mark.parametrize(
    ("pod", "seen"),
    [
        ({"manifest": spec("/tokens"), "answer": present}, "main-app has tokens at ['/tokens']"),
        (
            {"manifest": spec("/etc/s", "other", other={"secret": {}}), "answer": present},
            "main-app has tokens at ['/etc/s']",
        ),
        (
            {"manifest": spec("/data", "data", data={"emptyDir": {}}), "answer": present},
            "main-app sees /data/found looked",
        ),
        ({"manifest": spec(), "answer": always("")}, "has no token"),
        ({"manifest": spec(), "answer": always("present")}, "main-app sees present"),
    ],
)
def test_a_token_elsewhere_or_nowhere_fails(pod: dict[str, Any], seen: str) -> None:
    assert seen in refused(named(LABELS, "token only in the sidecar"), **pod)


def api(allowed: str) -> Callable[[str, str, float], str]:
    """An API server that refuses all patches but those that have one of these texts."""
    return lambda _a, command, _b: "200" if re.search(allowed, command, re.DOTALL) else "422"


OWN = r"version.*pods/own\?"


def test_a_sidecar_that_is_held_to_its_label_passes() -> None:
    check = named(LABELS, "own label only")
    seen = looked(check, manifest=labelled, others=("other",), answer=api(OWN))
    assert seen == ("neighbour other: 422, another label: 422, the spec: 422; its own label: 200")


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [
        (f"{OWN}|pods/other", "neighbour other: 200"),
        (f"{OWN}|image", "the spec: 200"),
        (f'{OWN}|"other"', "another label: 200"),
        ("nothing", "its own label: 422"),
    ],
)
def test_a_sidecar_that_may_do_more_or_nothing_fails(allowed: str, seen: str) -> None:
    check = named(LABELS, "own label only")
    answer = api(allowed)
    assert seen in refused(check, manifest=labelled, others=("other",), answer=answer)


def test_no_patch_is_more_than_a_dry_run() -> None:
    commands: list[str] = []

    def answer(_container: str, command: str, _now: float) -> str:
        commands.append(command)
        return api(OWN)("", command, 0)

    looked(named(LABELS, "own label only"), manifest=labelled, others=("other",), answer=answer)
    assert len(commands) == 4
    assert all("dryRun=All" in command for command in commands)


def test_without_the_policy_nothing_is_promised_that_only_it_holds() -> None:
    names = [check.name for check in env_inherit.checks({"admission_policy": False})]
    assert "own label only" not in names
    bare = env_inherit.checks({"admission_policy": False, "workload": "pod"})
    seen = looked(
        named(bare, "own label only"), manifest=labelled, others=("other",), answer=api(OWN)
    )
    assert seen == "neighbour other: 422; its own label: 200"
    lone = refused(named(bare, "own label only"), manifest=labelled, answer=api(OWN))
    assert "no other pod" in lone


def test_a_sidecar_without_a_neighbour_says_so() -> None:
    seen = looked(named(LABELS, "own label only"), manifest=labelled, answer=api(OWN))
    assert seen.endswith("no neighbour to try")


def test_a_slow_app_has_its_own_interval_to_print_the_label() -> None:
    checks = env_inherit.checks({"app_interval_seconds": 300})
    log = every(300, lambda time: f"APP_VERSION={version(time)}")
    check = named(checks, "label reaches the app")
    assert looked(check, manifest=labelled, answer=in_file, logs={"main-app": log})
