"""The patterns, for tests of what holds for all of them."""

from collections.abc import Callable
from typing import Any

import pulumi

from components.env_inherit import EnvInherit
from components.hot_reload import HotReload
from components.init_sidecar import InitSidecar
from components.resource import Resource
from components.shared_filesystem import SharedFilesystem
from components.signal import Signal

PATTERNS: dict[str, Callable[[str, Any], pulumi.ComponentResource]] = {
    "shared-filesystem": SharedFilesystem,
    "init-sidecar": InitSidecar,
    "signal": Signal,
    "env-inherit": EnvInherit,
    "resource": Resource,
    "hot-reload": HotReload,
}
