"""What the workflows write on GitHub: once, then in place, and nobody else's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.unit.github import BOT, TOKEN, GitHub, serving
from tools.diff.as_markdown import CAP, MARKER
from tools.errors import CommandError
from tools.workflows.__main__ import app
from tools.workflows.github import LIMIT

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The Markdown to post."""
    found = tmp_path / "text.md"
    found.write_text(f"{MARKER}\nNo changes.")
    return found


def run(github: GitHub, *words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env=github.environment)


def comment(github: GitHub, file: Path, commit: str = COMMIT) -> Result:
    return run(github, "comment", "--commit", commit, "--file", file)


def issue(github: GitHub, file: Path, stack: str = "dev") -> Result:
    file.write_text(f"<!-- {stack} -->\n{file.read_text()}")
    return run(github, "issue", "--stack", stack, "--file", file)


def bodies(github: GitHub, path: str) -> list[str]:
    return [item["body"] for item in github.lists[path]]


def test_a_diff_is_one_comment_that_is_edited_in_place(github: GitHub, file: Path) -> None:
    github.pull(7, COMMIT)
    assert comment(github, file).exit_code == 0
    assert github.written == ["POST issues/7/comments"]
    github.lists["pulls"][0]["head"]["sha"] = OTHER
    file.write_text(f"{MARKER}\nMuch changes.")
    assert comment(github, file, OTHER).exit_code == 0
    assert len(github.written) == 2
    assert github.written[1].startswith("PATCH issues/comments/")
    expected = f"{MARKER}\nOf bbbbbbb, by the pull request's own code:\n\nMuch changes."
    assert bodies(github, "issues/7/comments") == [expected]


def test_the_comment_is_found_behind_many_others(github: GitHub, file: Path) -> None:
    github.pull(7, COMMIT)
    path = "issues/7/comments"
    github.add(path, None, BOT)
    for _ in range(230):
        github.add(path, "a word", "somebody")
    ours = github.add(path, f"{MARKER}\nold", BOT)
    assert comment(github, file).exit_code == 0
    assert len(github.written) == 1
    assert ours["body"].endswith("No changes.")


def test_what_others_have_written_stays(github: GitHub, file: Path) -> None:
    github.pull(7, COMMIT)
    theirs = [
        (f"{MARKER}\nmine", "somebody"),
        (f"{MARKER}\nmine", None),
        ("Another workflow", BOT),
        (f"> {MARKER}", BOT),
    ]
    for body, author in theirs:
        github.add("issues/7/comments", body, author)
    assert comment(github, file).exit_code == 0
    assert github.written == ["POST issues/7/comments"]
    assert bodies(github, "issues/7/comments")[:4] == [body for body, _ in theirs]


def test_the_commit_alone_says_on_which_pull_request(github: GitHub, file: Path) -> None:
    for number in range(1, 150):
        github.pull(number, OTHER)
    github.pull(150, COMMIT)
    assert comment(github, file).exit_code == 0
    assert github.written == ["POST issues/150/comments"]


def test_a_pull_request_that_has_moved_on_gets_no_old_diff(github: GitHub, file: Path) -> None:
    github.pull(7, OTHER)
    github.pull(8, COMMIT)
    github.lists["pulls"][1]["state"] = "closed"
    done = comment(github, file)
    assert done.exit_code == 0
    assert f"No open pull request has {COMMIT} as its head any more." in done.output
    assert github.written == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "doesn't begin with"),
        (b"All is well.", "doesn't begin with"),
        (f"{MARKER} and more\n".encode(), "doesn't begin with"),
        (f"{MARKER}\n".encode() + b"\xff", "can't be read"),
        (f"{MARKER}\n".encode() + b"x" * LIMIT, "is longer than 64,536 characters"),
    ],
)
def test_a_file_that_is_no_diff_is_refused_unposted(
    github: GitHub, file: Path, content: bytes, message: str
) -> None:
    github.pull(7, COMMIT)
    file.write_bytes(content)
    done = comment(github, file)
    assert isinstance(done.exception, CommandError)
    assert str(done.exception).startswith(f"FILE: {file} {message}")
    assert github.written == []


def test_a_file_that_is_missing_is_one_message(github: GitHub, tmp_path: Path) -> None:
    for done in (comment(github, tmp_path / "no"), comment(github, tmp_path)):
        assert isinstance(done.exception, CommandError)


def test_the_longest_diff_has_room(github: GitHub, file: Path) -> None:
    github.pull(7, COMMIT)
    file.write_text(f"{MARKER}\n".ljust(CAP, "é"))
    assert comment(github, file).exit_code == 0
    assert CAP < len(bodies(github, "issues/7/comments")[0]) <= LIMIT


@pytest.mark.parametrize("commit", ["", "main", "a" * 39, "A" * 40, f"{COMMIT}\n"])
def test_a_commit_that_is_none_is_refused(github: GitHub, file: Path, commit: str) -> None:
    done = comment(github, file, commit)
    assert str(done.exception) == f"COMMIT: found {commit!r}, allowed is a commit of 40 hex digits"


def test_a_stack_has_one_open_issue_that_is_edited_in_place(github: GitHub, file: Path) -> None:
    for word in ("first", "second"):
        file.write_text(word)
        assert issue(github, file).exit_code == 0
    assert [line.split("/")[0] for line in github.written] == ["POST issues", "PATCH issues"]
    assert bodies(github, "issues") == ["<!-- dev -->\nsecond"]
    assert github.lists["issues"][0]["title"] == "Stack dev has drifted"


def test_each_stack_has_an_issue_of_its_own_and_peoples_stay(github: GitHub, file: Path) -> None:
    github.add("issues", "<!-- dev -->\nquoted", "somebody", title="a")
    github.add("issues", "<!-- dev2 -->", BOT, title="b")
    file.write_text("new")
    assert issue(github, file).exit_code == 0
    assert github.written == ["POST issues"]
    assert bodies(github, "issues")[:2] == ["<!-- dev -->\nquoted", "<!-- dev2 -->"]


def test_an_issue_that_was_closed_stays_closed(github: GitHub, file: Path) -> None:
    closed = github.add("issues", "<!-- dev -->", BOT, title="a", state="closed")
    assert issue(github, file).exit_code == 0
    assert github.written == ["POST issues"]
    assert closed["state"] == "closed"


@pytest.mark.parametrize("status", [403, 500])
def test_what_github_refuses_is_one_message_without_the_token(
    github: GitHub, file: Path, status: int
) -> None:
    github.refusal = status
    done = comment(github, file)
    assert isinstance(done.exception, CommandError)
    assert f": {status} Resource not accessible by integration" in str(done.exception)
    assert TOKEN not in str(done.exception)


@pytest.mark.parametrize("name", ["GITHUB_REPOSITORY", "GITHUB_TOKEN"])
def test_a_variable_that_is_missing_is_named(github: GitHub, file: Path, name: str) -> None:
    words = ["comment", "--commit", COMMIT, "--file", str(file)]
    done = CliRunner().invoke(app, words, env={**github.environment, name: ""})
    assert str(done.exception).startswith(f"{name}: found nothing")


def test_github_out_of_reach_is_one_message(github: GitHub, file: Path) -> None:
    # The port of a server that has ended.
    with serving() as gone:
        pass
    done = comment(gone, file)
    assert isinstance(done.exception, CommandError)
    assert str(done.exception).startswith("GitHub can't be asked: GET ")
