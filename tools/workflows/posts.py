"""What the workflows write: a pull request's diff, and an issue for a stack that has drifted."""

import re
from pathlib import Path

from tools.diff.as_markdown import MARKER
from tools.errors import CommandError
from tools.workflows.github import LIMIT, Repository


def comment(repository: Repository, commit: str, file: Path) -> list[str]:
    """Put a diff on the open pull requests whose head is this commit; returns the URLs.

    The file comes from a run of the pull request's own code, so it is taken for text that anybody
    may have written: nothing in it says where it goes, and the comment says whose it is. Raises
    CommandError if it is none that `make diff` makes.
    """
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise CommandError(f"COMMIT: found {commit!r}, allowed is a commit of 40 hex digits")
    text = _text(file)
    first, _, rest = text.partition("\n")
    if first != MARKER:
        raise CommandError(f"FILE: {file} doesn't begin with {MARKER}")
    text = f"{MARKER}\nOf {commit[:7]}, by the pull request's own code:\n\n{rest}"
    return [
        repository.keep(f"issues/{pull['number']}/comments", text, {})
        for pull in repository.all("pulls", state="open")
        if pull["head"]["sha"] == commit
    ]


def issue(repository: Repository, stack: str, file: Path) -> str:
    """Make the stack's open issue say this, or open one; returns its URL."""
    title = f"Stack {stack} has drifted"
    return repository.keep("issues", _text(file), {"state": "open"}, title=title)


def _text(file: Path) -> str:
    """A file that GitHub would take, with room for a line of ours."""
    allowed = LIMIT - 1_000
    try:
        with file.open(encoding="utf-8") as reader:
            # Not more, however long the file is.
            text = reader.read(allowed + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"FILE: {file} can't be read: {error}") from None
    if len(text) > allowed:
        raise CommandError(f"FILE: {file} is longer than {allowed:,} characters")
    return text
