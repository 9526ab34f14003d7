"""What a stack's file says to the policies, for a pack that the engine doesn't tell.

pulumi-policy passes no configuration on, but every URN has the stack's name, and the engine runs
a pack in the project's folder.
https://www.pulumi.com/docs/iac/concepts/resources/names/#urns
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from policy.manifests import Object, inner
from stacks.model import PolicySettings
from stacks.settings import decoded, encoded, read_policies


def of_stack(urn: str) -> PolicySettings:
    """The settings of the stack that a URN is of, none if it has no file here.

    Raises SettingsError.
    """
    return _read(urn.split(":")[2]) if urn else PolicySettings()


@cache
def _read(stack: str) -> PolicySettings:
    project = _content(Path("Pulumi.yaml"))
    file = Path(project.get("stackConfigDir", "."), f"Pulumi.{stack}.yaml")
    config = inner(_content(file), "config")
    # As for the CLI, a key of no package is the project's.
    full = {key if ":" in key else f"{project.get('name')}:{key}": config[key] for key in config}
    return read_policies(decoded(encoded(full)))


def _content(file: Path) -> Object:
    """A YAML file's mapping, empty if there is none."""
    content: Any = yaml.safe_load(file.read_text()) if file.exists() else {}
    return inner({"content": content}, "content")
