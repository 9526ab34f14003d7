"""A repository of its own, with a program that registers what its stack files hold."""

import subprocess
from pathlib import Path

import yaml

from tests.objects import Object, manifest

RENDER = """
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

REDACTED = "[secret]"


class CommandError(Exception):
    pass


@dataclass
class Rendered:
    object: dict


def render(stack, secrets=False):
    root = Path(__file__).parents[1]
    content = yaml.safe_load((root / f"stacks/Pulumi.{stack}.yaml").read_text())
    print("what a program prints is no result")
    if "wrong" in content:
        raise CommandError(content["wrong"])
    if "broken" in content:
        raise ValueError(f"{content['broken']} {root}/x")
    if "dead" in content:
        print(content["dead"], file=sys.stderr)
        sys.stderr.flush()
        os._exit(3)
    found = content["objects"]
    for item in found:
        if item["kind"] == "Secret" and not secrets:
            item["stringData"] = dict.fromkeys(item["stringData"], REDACTED)
    return [Rendered(item) for item in found]
"""


class Repository:
    """Made with one commit; `write` and `commit` make more."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Nobody")
        self.git("config", "user.email", "nobody@example.org")
        self.write("tools/__init__.py", "")
        self.write("tools/render.py", RENDER)
        self.write("requirements.txt", "")

    def write(self, file: str, text: str) -> None:
        """Put a file into the work tree."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def stack(self, name: str, *objects: Object, **more: object) -> None:
        """Write a stack's file that registers these objects."""
        text = yaml.safe_dump({"objects": [*objects], **more})
        self.write(f"stacks/Pulumi.{name}.yaml", text)

    def commit(self) -> str:
        """Commit all of the work tree."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A commit")
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        """Run git in it."""
        command = ["git", "-C", str(self.root), *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def config_map(value: str) -> Object:
    """A ConfigMap that says this."""
    return manifest("ConfigMap", data={"key": value})
