"""Both sides of a diff: which base, what is rendered how, and what stays behind."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.repository import Repository, config_map
from tools import __main__ as commands
from tools import diff as differ
from tools import paths, toolchain
from tools.diff import as_text
from tools.diff.model import Diff, Status, Verdict
from tools.errors import CommandError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The project is this repository, with the committed stack `dev`."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    found = Repository(tmp_path / "project with a space")
    found.stack("dev", config_map("old"))
    found.commit()
    monkeypatch.setattr(paths, "ROOT", found.root)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return found


def diff(base: str = "") -> Diff:
    return differ.diff(base, lambda _: None)


def statuses(found: Diff) -> dict[str, Status]:
    return {stack.stack: stack.status for stack in found.stacks}


def assert_nothing_left(repository: Repository) -> None:
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_what_the_project_says_to_the_provider_holds_for_all_stacks(
    repository: Repository,
) -> None:
    setting = "config:\n  kubernetes:enableConfigMapMutable:\n    value: "
    (repository.root / "Pulumi.yaml").write_text(f"{setting}'true'\n")
    repository.commit()
    repository.stack("dev", config_map("new"))
    assert diff().stacks[0].changes[0].verdict is Verdict.UPDATE
    (repository.root / "Pulumi.yaml").write_text(f"{setting}'false'\n")
    found = diff().stacks[0]
    assert found.changes[0].verdict is Verdict.REPLACE
    assert found.notes == ["kubernetes:enableConfigMapMutable changes from true to false."]


def test_what_is_not_committed_counts(repository: Repository) -> None:
    repository.stack("dev", config_map("new"))
    found = diff()
    assert statuses(found) == {"dev": Status.CHANGED}
    field = found.stacks[0].changes[0].fields[0]
    assert (field.old, field.new) == ("old", "new")
    assert_nothing_left(repository)


def test_nothing_changed_is_said_in_one_line(repository: Repository) -> None:
    assert as_text.show(diff()) == "No changes."


def test_the_default_base_is_the_remotes_main_where_there_is_one(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    assert diff().base == "main"
    repository.git("update-ref", "refs/remotes/origin/main", first)
    repository.stack("dev", config_map("new"))
    repository.commit()
    found = diff()
    assert (found.base, found.commit) == ("origin/main", first)
    assert statuses(found) == {"dev": Status.CHANGED}
    repository.git("update-ref", "-d", "refs/remotes/origin/main")
    repository.git("branch", "--move", "other")
    assert diff().base == "HEAD"


@pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD^{tree}", "HEAD~9", " "])
def test_a_base_that_is_none_is_one_message(repository: Repository, name: str) -> None:
    with pytest.raises(CommandError, match=r"^BASE: found .*, allowed is a revision") as error:
        diff(name)
    assert repr(name) in str(error.value)
    assert_nothing_left(repository)


def test_without_a_repository_one_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(
        CommandError, match=r"^There is no base to compare with: fatal: not a git repository"
    ):
        diff()


def test_stacks_that_come_and_go_are_told(repository: Repository) -> None:
    repository.git("mv", "stacks/Pulumi.dev.yaml", "stacks/Pulumi.new.yaml")
    found = diff()
    assert statuses(found) == {"dev": Status.REMOVED, "new": Status.ADDED}
    verdicts = [change.verdict.value for stack in found.stacks for change in stack.changes]
    assert verdicts == ["delete", "create"]
    assert "make down STACK=dev" in found.stacks[0].notes[0]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"wrong": "demos: found 'x'"}, "demos: found 'x'"),
        ({"broken": "no"}, r"^ValueError: no x \(tools/render.py, line \d+\)$"),
        (
            {"dead": "out of memory"},
            r"(?s)^The renderer ended with exit code 3\..*\nout of memory$",
        ),
    ],
)
def test_a_base_that_does_not_render_is_told_and_the_head_is_shown(
    repository: Repository, wrong: dict[str, str], reason: str
) -> None:
    repository.stack("dev", **wrong)
    repository.stack("other", config_map("x"))
    repository.commit()
    repository.stack("dev", config_map("new"))
    found = diff("HEAD")
    assert found.stacks[0].status is Status.INCOMPARABLE
    assert not found.failed
    assert [item.name for item in found.stacks[0].objects] == ["it"]
    text = as_text.show(found)
    assert text.startswith("dev: can't be compared, since HEAD can't be rendered; ")
    assert "    ConfigMap here/it" in text
    assert re.search(reason, found.stacks[0].problem)


def test_a_base_from_before_there_was_a_renderer_says_so(repository: Repository) -> None:
    (repository.root / "tools" / "render.py").rename(repository.root / "render.py")
    old = repository.commit()
    repository.git("checkout", "--quiet", "HEAD~1", "tools/render.py")
    found = diff(old)
    assert statuses(found) == {"dev": Status.INCOMPARABLE}
    assert found.stacks[0].problem == "It has no tools/render.py to render with."


def test_each_side_is_rendered_by_its_own_code(repository: Repository) -> None:
    file = repository.root / "tools" / "render.py"
    file.write_text(file.read_text().replace('"objects"', '"items"'))
    repository.write("stacks/Pulumi.dev.yaml", "items: []")
    found = diff()
    assert [change.verdict.value for change in found.stacks[0].changes] == ["delete"]


def test_a_head_that_does_not_render_is_told_and_fails(repository: Repository) -> None:
    repository.stack("other", config_map("x"))
    repository.stack("dev", wrong="stacks/Pulumi.dev.yaml has problems:\nquota: found 0")
    for form in ("text", "markdown", "json"):
        done = CliRunner().invoke(commands.app, ["diff", "--format", form])
        assert done.exit_code == 1
        assert "quota: found 0" in done.stdout
        assert "other" in done.stdout
    assert_nothing_left(repository)


def test_the_exit_code_is_0_whether_or_not_there_are_changes(repository: Repository) -> None:
    assert CliRunner().invoke(commands.app, ["diff"]).exit_code == 0
    repository.stack("dev", config_map("new"))
    assert CliRunner().invoke(commands.app, ["diff"]).exit_code == 0


def test_an_unknown_format_is_one_message() -> None:
    done = CliRunner().invoke(commands.app, ["diff", "--format", "markdwn"])
    assert str(done.exception) == (
        "FORMAT: found 'markdwn', allowed is text, markdown, json; did you mean markdown?"
    )


def test_a_secret_that_changes_is_told_but_not_shown(repository: Repository) -> None:
    def secret(value: str) -> dict[str, object]:
        fields = {"same": "constant-value", "other": value}
        return {**config_map(""), "kind": "Secret", "data": {}, "stringData": fields}

    repository.stack("dev", secret("old-value"))
    repository.commit()
    repository.stack("dev", secret("new-value"))
    repository.stack("new", secret("new-value"))
    found = diff("HEAD")
    for form in ("text", "markdown", "json"):
        done = CliRunner().invoke(commands.app, ["diff", "--base", "HEAD", "--format", form])
        assert "stringData.other" in done.stdout
        assert "[secret]" in done.stdout
        assert "-value" not in done.stdout
        assert "[secret " not in done.stdout
    assert len(found.stacks[0].changes[0].fields) == 1


def test_a_project_below_the_repositorys_root_is_found(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tools", "stacks", "requirements.txt"):
        (repository.root / "below").mkdir(exist_ok=True)
        repository.git("mv", name, f"below/{name}")
    repository.commit()
    monkeypatch.setattr(paths, "ROOT", repository.root / "below")
    assert statuses(diff()) == {"dev": Status.UNCHANGED}


def test_what_a_git_hook_sets_and_hooks_themselves_do_no_harm(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = repository.root / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert statuses(diff()) == {"dev": Status.UNCHANGED}


def test_other_requirements_get_an_environment_of_their_own_once(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, ...]] = []

    def run(*command: str | Path) -> None:
        made.append(tuple(map(str, command)))
        if "venv" in made[-1]:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)

    monkeypatch.setattr(toolchain, "run", run)
    repository.write("requirements.txt", "other==1\n")
    assert statuses(diff()) == statuses(diff())
    assert [command[1:3] for command in made] == [("-m", "venv"), ("-m", "pip")]
    assert made[1][-1].endswith("base/requirements.txt")
    assert len(list((paths.CACHE / "venv").iterdir())) == 1


def test_requirements_that_cannot_be_installed_are_the_bases_problem(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: str | Path) -> None:
        raise CommandError("no such package")

    monkeypatch.setattr(toolchain, "run", run)
    repository.write("requirements.txt", "other==1\n")
    found = diff()
    assert statuses(found) == {"dev": Status.INCOMPARABLE}
    assert found.stacks[0].problem == "Its requirements can't be installed: no such package"
    assert list((paths.CACHE / "venv").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_diff_that_is_ended(repository: Repository, number: int) -> None:
    file = repository.root / "tools" / "render.py"
    file.write_text("import time\nopen('started', 'w').close()\ntime.sleep(600)\n")
    code = (
        # Whoever started the tests may ignore it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from pathlib import Path; from tools import diff, paths;"
        " paths.ROOT = Path(sys.argv[1]); diff.diff('main', print)"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(repository.root)],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (repository.root / "started").exists():
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(number)
        assert running.wait(30) != 0
    finally:
        running.kill()
    assert_nothing_left(repository)


def test_the_projects_own_stacks_render_on_both_sides() -> None:
    found = diff("HEAD")
    assert {"article", "dev", "local", "prod", "staging"} <= statuses(found).keys()
    assert not found.failed
