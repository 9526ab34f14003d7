"""The checks of init sidecar pass on what it promises, and on nothing less."""

from collections.abc import Callable

import pytest

from components.checks import init_sidecar
from components.manifest import Object
from tests.unit.simulated import (
    date,
    every,
    looked,
    named,
    refused,
    unchanging,
)

CONFIG = init_sidecar.checks({})


def iso(seconds: float) -> str:
    return f"2026-11-23T12:{int(seconds) // 60:02}:{int(seconds) % 60:02}Z"


def prepared(ended: float, restarts: int = 0, begun: float = 0) -> Callable[[float], Object]:
    init = {
        "name": "init-config",
        "state": {"terminated": {"exitCode": 0, "finishedAt": iso(ended)}},
    }
    app = {
        "name": "main-app",
        "state": {"running": {"startedAt": iso(begun)}},
        "restartCount": restarts,
    }
    return unchanging({"status": {"initContainerStatuses": [init], "containerStatuses": [app]}})


def configured(time: float) -> str:
    """What the app prints with the default intervals."""
    return f"Updated config {date(time // 60 * 60)}" if time >= 60 else "Initial config"


def test_an_app_that_starts_with_the_initial_configuration_passes() -> None:
    check = named(CONFIG, "initial config first")
    assert looked(check, manifest=prepared(0), logs={"main-app": every(30, configured)})


def test_a_first_line_that_is_an_update_fails() -> None:
    logs = {"main-app": every(30, lambda time: f"Updated config {date(time)}")}
    check = named(CONFIG, "initial config first")
    assert "first line is 'Updated" in refused(check, manifest=prepared(0), logs=logs)
    # It sees what is there by then if it has been started again.
    assert looked(check, manifest=prepared(0, restarts=1), logs=logs)


def test_a_first_line_that_is_no_configuration_fails_even_after_a_restart() -> None:
    logs = {"main-app": every(30, lambda _: "cat: can't open '/app/config.ini'")}
    check = named(CONFIG, "initial config first")
    for restarts in (0, 1):
        assert "can't open" in refused(check, manifest=prepared(0, restarts), logs=logs)


def test_an_app_that_starts_before_its_init_container_has_ended_fails() -> None:
    check = named(CONFIG, "initial config first")
    logs = {"main-app": every(30, configured)}
    assert "did not start after init-config" in refused(check, manifest=prepared(5), logs=logs)


def test_an_update_comes_later() -> None:
    check = named(CONFIG, "updated later")
    seen = looked(check, logs={"main-app": every(30, configured)}, now=1)
    assert seen == f"last line 'Updated config {date(60)}'"


@pytest.mark.parametrize("text", ["Initial config", f"Updated config {date(0)}", "Updated config "])
def test_a_configuration_that_is_not_renewed_fails(text: str) -> None:
    check = named(CONFIG, "updated later")
    logs = {"main-app": every(30, lambda _: text)}
    assert text in refused(check, logs=logs, now=120)


def test_an_app_that_prints_nothing_any_more_fails() -> None:
    check = named(CONFIG, "updated later")
    logs = {"main-app": every(30, configured)[:4]}
    assert refused(check, logs=logs, now=130) == "the app prints nothing"
