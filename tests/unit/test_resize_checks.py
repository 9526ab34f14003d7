"""The checks of resize pass on what it promises, and on nothing less."""

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from components.checks import resize
from components.manifest import Object
from components.resize import ResizeArgs
from tests.unit.simulated import always, every, looked, named, refused, unchanging

CHECKS = resize.checks({})


def millicores(now: float) -> int:
    """The app's limit: quiet and busy for a minute each, with its steps in between."""
    second = now % 120
    return 50 if second < 80 else 100 if second < 90 else 200


LOGS = {"resizer": every(10, lambda time: f"main-app may use {millicores(time)}m")}


def pod(amount: int, restarted: int = 0) -> Object:
    resources = {"limits": {"cpu": f"{amount}m"}}
    app = {"name": "main-app", "restartCount": restarted, "resources": resources}
    return {
        "metadata": {"name": "own"},
        "spec": {"containers": [{"name": "main-app", "resources": resources}]},
        "status": {"containerStatuses": [app]},
    }


def following(now: float) -> Object:
    return pod(millicores(now))


def test_a_limit_that_rises_and_falls_passes() -> None:
    check = named(CHECKS, "limits follow the load")
    seen = looked(check, manifest=following, logs=LOGS)
    assert seen == "200m → 50m → 100m without a restart"


STAYS: list[tuple[Callable[[float], Object], str]] = [
    (unchanging(pod(200)), "200m; the resizer says"),
    (lambda now: pod(50 if now < 150 else 200), "50m → 200m; the resizer says"),
    (lambda now: pod(millicores(now) + 10), "→ 60m → 110m, restarted 0 times"),
    (lambda now: pod(millicores(now) - 1), "49m"),
    (lambda now: pod(millicores(now), int(now > 150)), "restarted 1 times"),
    (unchanging({"status": {}}), "the kubelet tells no CPU limit"),
]


@pytest.mark.parametrize(("manifest", "seen"), STAYS)
def test_a_limit_that_stays_or_leaves_its_bounds_or_restarts_the_app_fails(
    manifest: Callable[[float], Object], seen: str
) -> None:
    check = named(CHECKS, "limits follow the load")
    assert seen in refused(check, manifest=manifest, logs=LOGS)


BETWEEN = "pod-resizer may give main-app between 50m and 200m of cpu"


def api(**allowed: str) -> Callable[[str, str, float], str]:
    """An API server that holds to the bounds and refuses all but these requests."""

    def answer(_container: str, command: str, _now: float) -> str:
        *_, path, patch = shlex.split(command)
        text = f"{path} {json.dumps(json.loads(patch))}"
        if any(re.search(words, text) for words in allowed.values()):
            return '{"kind":"Pod"}\n200'
        return f'{{"message":"{BETWEEN}"}}\n422'

    return answer


OWN = r'own/resize .*"cpu": "100m"'


def test_bounds_that_the_api_server_holds_pass() -> None:
    check = named(CHECKS, "bounds held")
    seen = looked(check, manifest=unchanging(pod(100)), answer=api(own=OWN))
    assert seen == "201m: 422, 49m: 422; 100m: 200"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (api(own=OWN, more='"201m"'), "201m: 200"),
        (api(own=OWN, less='"49m"'), "201m: 422, 49m: 200"),
        (api(), "100m: 422: pod-resizer may give"),
        (always('{"message":"pods is forbidden"}\n403'), "201m: 403: pods is forbidden"),
    ],
)
def test_bounds_that_are_not_held_or_not_by_the_policy_fail(answer: Any, seen: str) -> None:
    check = named(CHECKS, "bounds held")
    assert seen in refused(check, manifest=unchanging(pod(100)), answer=answer)


def test_a_sidecar_that_can_change_nothing_else_passes() -> None:
    check = named(CHECKS, "nothing else")
    seen = looked(check, manifest=unchanging(pod(100)), others=("other",), answer=api(own="never"))
    assert seen == (
        "a label: 422, the image: 422, its CPU past the subresource: 422, memory: 422,"
        " the resizer's CPU: 422, neighbour other: 422"
    )


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [
        ("labels", "a label: 200"),
        ("image", "the image: 200"),
        (r"own \{.*cpu", "its CPU past the subresource: 200"),
        ("memory", "memory: 200"),
        ("initContainers", "the resizer's CPU: 200"),
        ("other/resize", "neighbour other: 200"),
    ],
)
def test_a_sidecar_that_can_change_more_fails(allowed: str, seen: str) -> None:
    check = named(CHECKS, "nothing else")
    answer = api(more=allowed)
    manifest = unchanging(pod(100))
    assert seen in refused(check, manifest=manifest, others=("other",), answer=answer)


def test_every_request_is_a_dry_run() -> None:
    commands: list[str] = []

    def answer(container: str, command: str, now: float) -> str:
        commands.append(command)
        return api(own=OWN)(container, command, now)

    for name in ("nothing else", "bounds held"):
        manifest = unchanging(pod(100))
        if name == "bounds held":
            looked(named(CHECKS, name), manifest=manifest, answer=answer)
        else:
            refused(named(CHECKS, name), manifest=manifest, answer=answer)
    assert len(commands) == 8
    assert all("dryRun=All" in command for command in commands)


def test_without_the_policy_nothing_is_promised_that_only_it_holds() -> None:
    found = resize.checks({"admission_policy": False})
    assert [check.name for check in found] == ["nothing else", "limits follow the load"]
    seen = looked(found[0], manifest=unchanging(pod(100)), others=("other",), answer=api())
    assert "neighbour" not in seen
    assert "memory" not in seen
    bare = resize.checks({"admission_policy": False, "workload": "pod"})
    seen = looked(bare[0], manifest=unchanging(pod(100)), others=("other",), answer=api())
    assert "neighbour other: 422" in seen


def test_a_load_too_short_to_be_followed_is_not_waited_for() -> None:
    short: list[ResizeArgs] = [{"load_seconds": 10}, {"min_cpu": "100m", "max_cpu": "110m"}]
    for args in short:
        names = [check.name for check in resize.checks(args)]
        assert "limits follow the load" not in names
