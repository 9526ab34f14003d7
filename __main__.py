"""Deploys the demos that the stack's file names."""

import gc
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from components.restricted_namespace import RestrictedNamespace
from stacks.settings import PROJECT, SettingsError, decoded, read

# What a program registers lives until it ends: to look through all of it for garbage again and
# again takes a third of a large stack's time. New objects are still looked at.
gc.set_threshold(500_000, 1000, 1000)

try:
    stack = read(decoded(CONFIG.get()), decrypted=is_config_secret(f"{PROJECT}:demos"))
except SettingsError as error:
    # A RunError is shown as it is, without a traceback.
    file = f"stacks/Pulumi.{pulumi.get_stack()}.yaml"
    raise pulumi.RunError(f"{file} has problems:\n{error}") from None

settings = stack.settings
namespace = RestrictedNamespace(
    "namespace",
    {
        "name": settings.namespace,
        "api_server": settings.api_server.as_args(),
        "quota": settings.quota,
        "protect": settings.protect_namespace,
    },
)
pulumi.export("namespace", namespace.name)

demos: dict[str, dict[str, pulumi.Output[Any]]] = {}
for key, instance in stack.demos.items():
    demo = instance.component(
        instance.name, instance.args, pulumi.ResourceOptions(depends_on=[namespace])
    )
    demos[key] = {
        "kind": demo.kind,
        "name": demo.name,
        "namespace": demo.namespace,
        "qosClass": demo.qos_class,
        "requests": demo.requests,
        "limits": demo.limits,
        "usage": demo.usage,
        "commands": demo.commands,
    }
pulumi.export("demos", demos)
pulumi.export("totals", stack.totals)
