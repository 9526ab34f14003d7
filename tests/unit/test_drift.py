"""Drift, no drift and failure are three things, and what has drifted is told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tools import __main__ as commands
from tools import paths
from tools.drift import report
from tools.target import Target
from tools.workflows.github import LIMIT

Object = dict[str, Any]

_URN = "urn:pulumi:dev::sidecar-powers::"
_REFRESHED = [
    {"op": "refresh", "urn": f"{_URN}kubernetes:apps/v1:Deployment::signal-demo"},
    {"op": "refresh", "urn": f"{_URN}pulumi:pulumi:Stack::sidecar-powers-dev"},
]


class Engine:
    """A Pulumi CLI that previews this, and keeps with which words it was asked."""

    def __init__(self, folder: Path) -> None:
        self.digest, self.words, self.code = folder / "digest", folder / "words", folder / "code"
        (folder / "pulumi-language-python").touch(mode=0o755)
        (folder / "pulumi").touch(mode=0o755)
        (folder / "pulumi").write_text(
            f'#!/bin/sh\n[ "$1" = version ] && echo v3.300.0 && exit\necho "$@" > {self.words}\n'
            f"echo 'warning: a new version' >&2\ncat {self.digest}\nexit $(cat {self.code})\n"
        )
        self.previews(_REFRESHED)

    def previews(self, steps: list[Object], code: int = 0, errors: tuple[str, ...] = ()) -> None:
        told = [{"severity": "error", "message": f"error: {text}\n"} for text in errors]
        noise = {"severity": "info#err", "message": "Traceback (most recent call last):\n"}
        digest = {"steps": steps, "diagnostics": [noise, *told]}
        self.digest.write_text(json.dumps(digest))
        self.code.write_text(str(code))


def aim(stack: str, context: str) -> Target:
    return Target("one", "one", "kubeconfig")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(commands, "_aim", aim)
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "local")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return Engine(tmp_path)


def drift() -> Result:
    return CliRunner().invoke(commands.app, ["drift", "--stack", "dev", "--out", "drift.md"])


def test_the_cluster_is_looked_at_and_nothing_is_changed(engine: Engine) -> None:
    assert drift().exit_code == 0
    words = engine.words.read_text().split()
    assert words == [
        "refresh",
        "--preview-only",
        "--json",
        "--non-interactive",
        "--stack",
        "dev",
    ]


def test_what_was_only_looked_at_is_no_drift(engine: Engine) -> None:
    done = drift()
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Nobody has changed the cluster of stack dev." in done.stderr
    assert not Path("drift.md").exists()


def test_where_nothing_is_deployed_nothing_has_changed(engine: Engine) -> None:
    engine.digest.write_text("{}")
    assert drift().exit_code == 0


def test_what_others_changed_is_drift_and_is_written_down(engine: Engine) -> None:
    fields = {f"spec.{letter}": {"kind": "update"} for letter in "abcd"}
    engine.previews(
        [
            *_REFRESHED,
            {
                "op": "update",
                "urn": f"{_URN}my:index:Signal$kubernetes:apps/v1:Deployment::signal-demo",
                "detailedDiff": fields,
            },
            {
                "op": "update",
                "urn": f"{_URN}kubernetes:core/v1:Pod::a|b",
                "detailedDiff": None,
                "diffReasons": ["spec"],
            },
            {"op": "delete", "urn": f"{_URN}kubernetes:core/v1:ConfigMap::gone"},
        ]
    )
    done = drift()
    assert done.exit_code == 1
    text = Path("drift.md").read_text()
    assert text.splitlines()[0] == "<!-- sidecar-powers:drift dev -->"
    assert [line for line in text.splitlines() if line.startswith("| ")][2:] == [
        "| `Deployment signal-demo` | changed | `spec.a`, `spec.b`, `spec.c`, and 1 more |",
        r"| `Pod a\|b` | changed | `spec` |",
        "| `ConfigMap gone` | deleted |  |",
    ]
    assert "make up STACK=dev" in text
    assert text in done.stdout


def test_a_failure_is_no_drift_and_its_reason_is_told(engine: Engine) -> None:
    engine.previews(_REFRESHED, 255, ("cannot reach the cluster", "preview failed"))
    done = drift()
    assert (done.exit_code, done.stdout) == (2, "")
    assert "error: cannot reach the cluster\nerror: preview failed\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("drift.md").exists()


def test_a_failure_without_a_digest_tells_what_the_engine_said(engine: Engine) -> None:
    engine.previews([], 255)
    engine.digest.write_text("")
    done = drift()
    assert done.exit_code == 2
    assert "warning: a new version" in done.stderr


def test_a_report_on_a_thousand_objects_has_room_in_an_issue() -> None:
    text = report("dev", [f"| update | `{'x' * 250} {number}` | |" for number in range(1000)])
    assert len(text) < LIMIT - 1_000
    assert "\nand 800 more.\n" in text
