"""The command line behind the workflows: python -m tools.workflows COMMAND --help."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tools.errors import CommandError
from tools.workflows import kubeconfig as credentials
from tools.workflows import posts
from tools.workflows.github import Repository

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
File = Annotated[Path, typer.Option(help="What to post, as Markdown.")]


def _say(line: str) -> None:
    typer.echo(line, err=True)


@app.command()
def touched(
    base: Annotated[str, typer.Option(help="The revision to compare with.")] = "",
) -> None:
    """Print which of the workflows' stacks the work tree changes, as a JSON list."""
    from tools import diff
    from tools.workflows.touched import touched as those

    typer.echo(json.dumps(those(diff.diff(base, _say))))


@app.command()
def kubeconfig() -> None:
    """Write KUBECONFIG_CONTENT to the file that KUBECONFIG names, for nobody else to read."""
    credentials.write(os.environ)


@app.command()
def comment(
    file: File, commit: Annotated[str, typer.Option(help="Of which pull requests: their head.")]
) -> None:
    """Put what `make diff FORMAT=markdown` said on the pull request, in place of what it had."""
    urls = posts.comment(Repository(os.environ), commit, file)
    _say("\n".join(urls) or f"No open pull request has {commit} as its head any more.")


@app.command()
def issue(file: File, stack: Annotated[str, typer.Option(help="What has drifted.")]) -> None:
    """Open an issue that says how a stack has drifted, or bring the open one up to date."""
    _say(posts.issue(Repository(os.environ), stack, file))


def main() -> None:
    """Run a command; what goes wrong is one message on standard error."""
    try:
        app()
    except CommandError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
