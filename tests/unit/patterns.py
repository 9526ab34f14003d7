"""The patterns, for tests of what holds for all of them."""

from collections.abc import Callable
from typing import Any

import pulumi

from components.cert_renewal import CertRenewal
from components.debug import Debug
from components.dependency_injection import DependencyInjection
from components.env_inherit import EnvInherit
from components.graceful_shutdown import GracefulShutdown
from components.health import Health
from components.hot_reload import HotReload
from components.init_sidecar import InitSidecar
from components.log_processing import LogProcessing
from components.resize import Resize
from components.resource import Resource
from components.secret_rotation import SecretRotation
from components.security_scan import SecurityScan
from components.shared_filesystem import SharedFilesystem
from components.signal import Signal
from tests import edits

PATTERNS: dict[str, Callable[[str, Any], pulumi.ComponentResource]] = {
    "shared-filesystem": SharedFilesystem,
    "init-sidecar": InitSidecar,
    "signal": Signal,
    "env-inherit": EnvInherit,
    "resource": Resource,
    "hot-reload": HotReload,
    "cert-renewal": CertRenewal,
    "secret-rotation": SecretRotation,
    "dependency-injection": DependencyInjection,
    "resize": Resize,
    "log-processing": LogProcessing,
    "security-scan": SecurityScan,
    "graceful-shutdown": GracefulShutdown,
    "health": Health,
    "debug": Debug,
}

REQUIRED: dict[str, dict[str, Any]] = {
    "cert-renewal": {"ca_certificate": "a certificate", "ca_key": "unit-tests-know-it"},
    "secret-rotation": {"token": "unit-tests-know-it"},
}
"""The arguments that a pattern must be given."""


SIDECARS: dict[str, dict[str, Any]] = {"debug": {"toolbox": True}}
"""The arguments with which a pattern has sidecars that has none by default."""


def args_of(pattern: str, **more: Any) -> Any:
    """Arguments with which the pattern works."""
    return {**REQUIRED.get(pattern, {}), **more}


def options_of(pattern: str, **more: Any) -> dict[str, Any]:
    """The same as a stack's file has them."""
    return {**edits.REQUIRED.get(pattern, {}), **more}
