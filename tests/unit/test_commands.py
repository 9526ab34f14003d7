"""What the command line asks of Pulumi."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from tools import __main__ as commands
from tools import cluster, engine, show
from tools.errors import CommandError
from tools.target import Target


def constant(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The `pulumi` commands that are run, as words; all of them succeed."""
    words: list[list[str]] = []

    def pulumi(stack: str, *command: str, quiet: bool = False) -> str:
        words.append([*command])
        return ""

    monkeypatch.setattr(engine, "pulumi", pulumi)
    monkeypatch.setattr(engine, "initialise", constant(None))
    monkeypatch.setattr(commands, "_aim", constant(Target("one", "one", "kubeconfig")))
    monkeypatch.setattr(cluster, "up", constant(False))
    monkeypatch.setattr(show, "show", constant(True))
    return words


@pytest.mark.parametrize("stack", ["local", "dev"])
@pytest.mark.parametrize("command", [["up", "--yes"], ["preview"]])
def test_up_and_preview_see_what_others_have_changed_and_keep_to_the_policies(
    asked: list[list[str]], stack: str, command: list[str]
) -> None:
    done = CliRunner().invoke(commands.app, [*command, "--stack", stack])
    assert done.exit_code == 0
    assert asked[0][:2] == [command[0], "--refresh"]
    assert "--policy-pack policy" in " ".join(asked[0])


@pytest.mark.parametrize("expected", [True, False])
def test_a_preview_fails_on_changes_where_none_are_expected(
    asked: list[list[str]], expected: bool
) -> None:
    words = ["preview", "--stack", "dev", *(["--expect-no-changes"] if expected else [])]
    assert CliRunner().invoke(commands.app, words).exit_code == 0
    assert ("--expect-no-changes" in asked[0]) == expected


@pytest.mark.parametrize("command", ["up", "down", "recover"])
def test_a_cluster_of_somebodys_own_is_not_touched_without_a_yes(
    asked: list[list[str]], command: str
) -> None:
    done = CliRunner().invoke(commands.app, [command, "--stack", "dev"])
    assert isinstance(done.exception, CommandError)
    assert "There is nobody to answer: say YES=1." in str(done.exception)
    assert asked == []
