"""Serves the components to programs in other languages, as the plugin of a Pulumi package.

https://www.pulumi.com/docs/iac/guides/building-extending/components/
"""

from importlib.metadata import version

import pulumi
from pulumi.provider.experimental import component_provider_host

from .cert_renewal import CertRenewal
from .debug import Debug
from .dependency_injection import DependencyInjection
from .env_inherit import EnvInherit
from .graceful_shutdown import GracefulShutdown
from .health import Health
from .hot_reload import HotReload
from .init_sidecar import InitSidecar
from .log_processing import LogProcessing
from .pod_labeler import PodLabeler
from .pod_resizer import PodResizer
from .resize import Resize
from .resource import Resource
from .restricted_namespace import RestrictedNamespace
from .secret_rotation import SecretRotation
from .security_scan import SecurityScan
from .shared_filesystem import SharedFilesystem
from .signal import Signal

COMPONENTS: list[type[pulumi.ComponentResource]] = [
    SharedFilesystem,
    InitSidecar,
    Signal,
    EnvInherit,
    Resource,
    HotReload,
    CertRenewal,
    SecretRotation,
    DependencyInjection,
    LogProcessing,
    SecurityScan,
    GracefulShutdown,
    Health,
    Debug,
    Resize,
    PodLabeler,
    PodResizer,
    RestrictedNamespace,
]
"""All that the package has."""


def main() -> None:
    """Serve the engine, as `pulumi-resource-sidecar-powers`."""
    component_provider_host(COMPONENTS, "sidecar-powers", version=version("sidecar-powers"))
