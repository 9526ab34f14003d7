"""What a stack's file says to the policies, for a pack that the engine doesn't tell.

pulumi-policy passes no configuration on, but every URN has the stack's name, and the engine runs
a pack in the project's folder.
https://www.pulumi.com/docs/iac/concepts/resources/names/#urns
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stacks.model import PolicySettings
from stacks.settings import PROJECT, read_policies


def of_stack(urn: str) -> PolicySettings:
    """The settings of the stack that a URN is of, none if it has no file here.

    Raises SettingsError.
    """
    return _read(urn.split(":")[2]) if urn else PolicySettings()


@cache
def _read(stack: str) -> PolicySettings:
    project: dict[str, Any] = yaml.safe_load(Path("Pulumi.yaml").read_text())
    file = Path(project.get("stackConfigDir", "."), f"Pulumi.{stack}.yaml")
    content: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
    config: dict[str, Any] = content.get("config") or {}
    # As for the CLI, a key of no package is the project's.
    return read_policies(
        {key if ":" in key else f"{PROJECT}:{key}": value for key, value in config.items()}
    )
