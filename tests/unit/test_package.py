"""The package that others install: what is in it, what it requires, what it serves."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from components.plugin import COMPONENTS
from tests import package
from tools.paths import ROOT

SOURCE = ROOT / "components"


def test_the_wheel_has_every_module_and_script_and_nothing_else(wheel: Path) -> None:
    files = [*SOURCE.rglob("*.py"), *SOURCE.glob("scripts/*.sh"), SOURCE / "py.typed"]
    with ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(found) == sorted(f"sidecar_powers/{file.relative_to(SOURCE)}" for file in files)


def test_it_requires_what_it_imports(installed: Path) -> None:
    imported: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module))
    foreign = {name.split(".")[0] for name in imported} - sys.stdlib_module_names
    (distribution,) = distributions(path=[str(installed)])
    required = [re.split("[<>=]", text)[0] for text in distribution.requires or []]
    assert foreign == {name.replace("-", "_") for name in required}


def test_the_versions_of_the_examples_go_with_the_package_and_are_the_tested_ones() -> None:
    options = ["--dry-run", "--no-build-isolation"]
    for example in package.EXAMPLES:
        options += ["--requirement", f"../{example}/requirements.txt"]
    said = package.pip("install", *options, cwd=ROOT / "examples" / package.EXAMPLES[0])
    # What is installed here fits, so the package is all that pip would add.
    assert re.fullmatch(r"Would install sidecar-powers-\S+", said.splitlines()[-1])


def test_the_installed_plugin_serves_every_component(installed: Path) -> None:
    plugin = subprocess.Popen(
        [installed / "bin" / "pulumi-resource-sidecar-powers", "127.0.0.1:1"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=installed,
        stdout=subprocess.PIPE,
        text=True,
    )
    with plugin:
        try:
            assert plugin.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(plugin.stdout.readline())}") as channel:
                stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
                schema = json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
        finally:
            plugin.terminate()
    served = {f"sidecar-powers:index:{component.__name__}" for component in COMPONENTS}
    assert set(schema["resources"]) == served
    (distribution,) = distributions(path=[str(installed)])
    assert schema["version"] == distribution.version
