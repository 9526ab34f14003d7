"""Every pattern says what proves its power."""

from typing import Any

from components.checks import (
    cert_renewal,
    debug,
    dependency_injection,
    env_inherit,
    graceful_shutdown,
    health,
    hot_reload,
    init_sidecar,
    log_processing,
    resize,
    resource,
    secret_rotation,
    security_scan,
    shared_filesystem,
    signal,
)
from stacks.model import PATTERNS


def test_every_pattern_has_checks_with_names_of_their_own() -> None:
    modules = [
        *(shared_filesystem, init_sidecar, signal, env_inherit, resource),
        *(hot_reload, cert_renewal, secret_rotation, dependency_injection),
        *(log_processing, security_scan, graceful_shutdown, health, debug, resize),
    ]
    assert sorted(module.__name__.rpartition(".")[2].replace("_", "-") for module in modules) == (
        sorted(PATTERNS)
    )
    for module in modules:
        args: Any = {}
        names = [check.name for check in module.checks(args)]
        assert len(names) == len(set(names)) >= 2
