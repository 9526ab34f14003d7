"""Runs plain `pulumi` commands in the right surroundings.

The settings are those that `make env` prints: what the commands here do, a
person can type.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, cast

import yaml

from stacks.settings import PROJECT
from tools import paths, toolchain
from tools.errors import CommandError

LOCAL = "local"
"""The stack that goes to the local cluster, and nowhere else."""

STANDIN = paths.ROOT / "tools" / "provider"
_PLUGIN = "pulumi-resource-kubernetes"
_DAY = 24 * 3600


def stack_file(stack: str) -> Path:
    """The file of a stack. Raises CommandError if there is none."""
    folder = paths.ROOT / "stacks"
    file = folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        names = sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))
        raise CommandError(f"STACK: found {stack!r}, allowed is {', '.join(names)}")
    return file


def stack_config(stack: str) -> dict[str, Any]:
    """What a stack's file configures, by full key (`kubernetes:context`).

    Raises CommandError for a file that is none of a stack.
    """
    file = stack_file(stack)
    try:
        content: Any = yaml.load(file.read_text(), _Loader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CommandError(f"stacks/{file.name} can't be read: {error}") from None
    found: Any = content
    if isinstance(content, dict):
        found = cast(dict[str, Any], content).get("config") or {}
    config = cast(dict[str, Any], found)
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in list[Any](config)):
        raise CommandError(f"stacks/{file.name}: found {found!r}, allowed is `config:` with keys")
    try:
        json.dumps(config, default=str)
    except (TypeError, ValueError) as error:
        raise CommandError(f"stacks/{file.name} can't be read: {error}") from None
    # As for the CLI, a key of no package is the project's.
    return {key if ":" in key else f"{PROJECT}:{key}": config[key] for key in config}


class _Loader(yaml.SafeLoader):
    """As the CLI reads YAML: a key that comes twice is a mistake."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    for key in keys:
        if keys.count(key) > 1:
            where = f"in the mapping that begins in line {node.start_mark.line + 1}"
            raise yaml.YAMLError(f"{key} is there twice {where}")
    loader.flatten_mapping(node)
    return loader.construct_mapping(node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def environment(stack: str) -> dict[str, str]:
    """The variables that `pulumi` and `kubectl` need for a stack, those that are set kept."""
    variables = {"PATH": toolchain.path()}
    if stack == LOCAL:
        variables["KUBECONFIG"] = str(paths.KUBECONFIG)
        from tools.cluster.config import API_IP

        # The local cluster is on this machine: no proxy knows the way.
        direct = [os.environ.get("NO_PROXY", ""), API_IP]
        variables["NO_PROXY"] = ",".join(filter(None, direct))
        if not _published_plugin():
            variables["PATH"] = f"{STANDIN}{os.pathsep}{variables['PATH']}"
    own_state = "PULUMI_BACKEND_URL" not in os.environ and not _logged_in()
    if own_state:
        state = paths.LOCAL / "state"
        state.mkdir(parents=True, exist_ok=True)
        variables["PULUMI_BACKEND_URL"] = f"file://{state}"
    if (own_state or stack == LOCAL) and not any(name in os.environ for name in _PASSPHRASES):
        # The local stack's salt goes with the empty passphrase: it keeps no secret of anybody's.
        variables["PULUMI_CONFIG_PASSPHRASE"] = ""
    if "PULUMI_SKIP_UPDATE_CHECK" not in os.environ:
        variables["PULUMI_SKIP_UPDATE_CHECK"] = "true"
    return variables


_PASSPHRASES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def _home() -> Path:
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")


def _logged_in() -> bool:
    """Whether the person has logged in to a backend."""
    try:
        return bool(json.loads((_home() / "credentials.json").read_text()).get("current"))
    except (OSError, ValueError):
        return False


def _published_plugin() -> bool:
    """Whether the published Kubernetes plugin is installed, or could be just now."""
    others = os.pathsep.join(
        folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != str(STANDIN)
    )
    version = _required_version()
    installed = _home() / "plugins" / f"resource-kubernetes-v{version}" / _PLUGIN
    if installed.exists() or shutil.which(_PLUGIN, path=others):
        return True
    refused = paths.CACHE / f"no-plugin-{version}"
    if refused.exists() and time.time() - refused.stat().st_mtime < _DAY:
        return False
    command = ["pulumi", "plugin", "install", "resource", "kubernetes", version]
    env = {**os.environ, "PATH": toolchain.path()}
    try:
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
        installable = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        installable = False
    if not installable:
        refused.parent.mkdir(parents=True, exist_ok=True)
        refused.touch()
    return installable


def _required_version() -> str:
    from importlib.metadata import version

    return version("pulumi-kubernetes")


def uses_standin(stack: str) -> bool:
    """Whether a stack is deployed through the stand-in for the published plugin."""
    return environment(stack)["PATH"].startswith(str(STANDIN))


def pulumi(stack: str, *words: str, quiet: bool = False) -> str:
    """Run a `pulumi` command, on a stack if one is named; its output is shown, or returned if
    quiet.

    Raises CommandError where it fails; what it printed says why.
    """
    command = ["pulumi", *words, *(["--stack", stack] if stack else [])]
    done = subprocess.run(
        command,
        cwd=paths.ROOT,
        env={**os.environ, **environment(stack)},
        text=True,
        check=False,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE if quiet else None,
    )
    if done.returncode != 0:
        said = f":\n{_reason(done)}" if quiet else ""
        raise CommandError(f"`{' '.join(command)}` ended with exit code {done.returncode}{said}")
    return done.stdout or ""


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """What a quiet command says of its failure: with --json, among the rest of what it prints."""
    try:
        told: list[dict[str, str]] = json.loads(done.stdout)["diagnostics"]
    except (ValueError, LookupError, TypeError):
        return done.stderr.strip()
    return "\n".join(item["message"].strip() for item in told if item["severity"] == "error")


def backend() -> str:
    """The URL of the backend that holds the state."""
    return json.loads(pulumi("", "whoami", "--json", quiet=True))["url"]


def initialise(stack: str) -> None:
    """Create the stack in the backend unless it is there; the current selection stays."""
    stack_file(stack)
    found = json.loads(pulumi("", "stack", "ls", "--json", quiet=True) or "[]")
    if not any(item["name"].split("/")[-1] == stack for item in found):
        pulumi(stack, "stack", "init", "--no-select", quiet=True)
