"""The command line behind the Makefile: python -m tools COMMAND --help."""

import os
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from components.messages import any_of
from tools import engine
from tools.errors import CommandError
from tools.target import Target, target

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Stack = Annotated[str, typer.Option(help="Which stacks/Pulumi.<stack>.yaml.")]
Context = Annotated[str, typer.Option(help="Kubeconfig context, where the stack names none.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]

POLICIES = ("--policy-pack", "policy")
"""What stops an update that violates them."""


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _aim(stack: str, context: str, plugin: bool = True) -> Target:
    """Make a stack's cluster the one that `pulumi` goes to, and say which it is."""
    engine.stack_file(stack)
    aim = target(stack, context)
    os.environ["KUBECONFIG"] = aim.kubeconfig
    _say(f"Stack {stack} goes to context {aim.context}, cluster {aim.cluster}.")
    if plugin and engine.uses_standin(stack):
        _say(
            "The published Kubernetes plugin can't be had here: a stand-in in tools/provider"
            " serves this stack."
        )
    return aim


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} There is nobody to answer: say YES=1.")
    if not typer.confirm(question):
        raise CommandError("Nothing was sent.")


@app.command()
def up(stack: Stack = engine.LOCAL, context: Context = "", yes: Yes = False) -> None:
    """Deploy a stack, wait until all of it is ready, show what runs."""
    from tools.show import show

    if stack == engine.LOCAL:
        from tools import cluster

        cluster.up(_say)
    aim = _aim(stack, context)
    options = ["--yes", "--skip-preview"]
    if stack != engine.LOCAL:
        _ask("Deploy there?", yes)
        options = ["--yes"] if yes else []
    engine.initialise(stack)
    # Only a refresh finds out what others have changed or deleted. The table that follows says
    # the outputs shorter.
    engine.pulumi(stack, "up", "--refresh", "--suppress-outputs", *POLICIES, *options)
    if not show(stack, aim):
        raise CommandError("Not every demo is ready.")


@app.command()
def preview(
    stack: Stack = engine.LOCAL,
    context: Context = "",
    expect_no_changes: Annotated[bool, typer.Option(help="Fail if there is something.")] = False,
) -> None:
    """Show what `up` would change."""
    _aim(stack, context)
    engine.initialise(stack)
    options = ["--expect-no-changes"] if expect_no_changes else []
    engine.pulumi(stack, "preview", "--refresh", "--diff", *POLICIES, *options)


@app.command()
def drift(
    stack: Stack = engine.LOCAL,
    context: Context = "",
    out: Annotated[str, typer.Option(help="A file for the findings, if there are any.")] = "",
) -> None:
    """Show what others have changed in a stack's cluster since the last `up`.

    Exit code 1 if they have, 2 if nobody could tell.
    """
    from tools import drift as drifting

    try:
        _aim(stack, context)
        rows = drifting.drift(stack)
    except CommandError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    if not rows:
        _say(f"Nobody has changed the cluster of stack {stack}.")
        return
    text = drifting.report(stack, rows)
    typer.echo(text)
    if out:
        Path(out).write_text(text)
    raise typer.Exit(1)


@app.command()
def recover(stack: Stack = engine.LOCAL, context: Context = "", yes: Yes = False) -> None:
    """Make a stack usable again after `pulumi` was killed in the middle."""
    from functools import partial

    from tools import recover as recovery

    aim = _aim(stack, context)
    if stack != engine.LOCAL:
        _ask("Remove its lock, and update its state from what is there?", yes)
    recovery.recover(stack, engine.backend(), partial(engine.pulumi, stack), aim, _say)


@app.command()
def down(stack: Stack = engine.LOCAL, context: Context = "", yes: Yes = False) -> None:
    """Remove what a stack deployed."""
    _aim(stack, context)
    if stack != engine.LOCAL:
        _ask("Remove the stack there?", yes)
    skip = yes or stack == engine.LOCAL
    engine.pulumi(stack, "destroy", *(["--yes", "--skip-preview"] if skip else []))


@app.command()
def verify(
    stack: Stack = engine.LOCAL,
    context: Context = "",
    form: Annotated[str, typer.Option("--format", help="table, json or junit.")] = "table",
) -> None:
    """Check on the live cluster that each demo's power works.

    Exit code 1 if one doesn't, 2 if nothing could be checked.
    """
    from tools.verify import verify as run
    from tools.verify.report import FORMATS, show

    if form not in FORMATS:
        _say(f"FORMAT: found {form!r}, allowed is {any_of(FORMATS, form)}")
        raise typer.Exit(2)
    try:
        aim = _aim(stack, context, plugin=False)
        results = run(stack, engine.stack_config(stack), aim, _say)
    except CommandError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    typer.echo(show(results, stack, form))
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@app.command()
def cluster_down() -> None:
    """Stop the local cluster and remove all of it."""
    from tools import cluster

    cluster.down(_say)


@app.command()
def cluster_status() -> None:
    """Show the parts of the local cluster; exit code 1 if one doesn't run."""
    from tools import cluster

    parts = cluster.status()
    for name, state, detail in parts:
        typer.echo(f"{name:26}{state:10}{detail}")
    if any(state not in ("ready", "yes") for _, state, _ in parts):
        raise typer.Exit(1)


@app.command()
def render(
    stack: Stack = engine.LOCAL,
    out: Annotated[str, typer.Option(help="A folder for a file an object.")] = "",
    secrets: Annotated[bool, typer.Option("--secrets", help="Show secret values.")] = False,
) -> None:
    """Print a stack's manifests as YAML, dependencies first."""
    started = time.monotonic()
    from tools import render as rendering

    found = rendering.render(stack, secrets)
    if out:
        try:
            rendering.write(found, stack, Path(out))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"OUT: {out}: {_why(error)}") from None
    else:
        typer.echo("---\n".join(rendering.to_yaml(item.object) for item in found), nl=False)
    _say(f"{len(found)} objects in {time.monotonic() - started:.2f} s")


@app.command()
def diff(
    base: Annotated[
        str, typer.Option(help="The revision to compare with: origin/main, main or HEAD.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="text, markdown or json.")] = "text",
) -> None:
    """Show what the work tree changes in every stack, without a cluster.

    Exit code 1 if one of its stacks can't be rendered.
    """
    from tools import diff as differ
    from tools.diff import as_json, as_markdown, as_text

    formats = {"text": as_text.show, "markdown": as_markdown.show, "json": as_json.show}
    if form not in formats:
        raise CommandError(f"FORMAT: found {form!r}, allowed is {any_of(formats, form)}")
    found = differ.diff(base, _say)
    typer.echo(formats[form](found))
    if found.failed:
        raise typer.Exit(1)


@app.command()
def policy(
    stack: Stack = engine.LOCAL,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Hold a stack's manifests against the policies, without a cluster.

    Exit code 1 if something violates one that stops a deployment.
    """
    from tools import policies

    formats = {"text": policies.as_text, "json": policies.as_json}
    if form not in formats:
        raise CommandError(f"FORMAT: found {form!r}, allowed is {any_of(formats, form)}")
    found = policies.judge(stack)
    typer.echo(formats[form](found))
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def report(
    stack: Stack = engine.LOCAL,
    form: Annotated[
        str, typer.Option("--format", help="table, html or json; else as OUT ends, else table.")
    ] = "",
    out: Annotated[str, typer.Option(help="A file for it.")] = "",
) -> None:
    """Show what a stack's pods take, in HTML with a picture of each, without a cluster."""
    from tools import report as reporting
    from tools.report import as_html, as_json, as_table

    formats = {"table": as_table.show, "html": as_html.show, "json": as_json.show}
    suffix = Path(out).suffix.removeprefix(".")
    form = form or (suffix if suffix in formats else "table")
    if form not in formats:
        raise CommandError(f"FORMAT: found {form!r}, allowed is {any_of(formats, form)}")
    text = formats[form](reporting.report(stack))
    if not out:
        typer.echo(text)
        return
    try:
        Path(out).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"OUT: {out}: {_why(error)}") from None


@app.command()
def env(stack: Stack = engine.LOCAL) -> None:
    """Print the settings for plain `pulumi` and `kubectl`: eval "$(make -s env)"."""
    for name, value in engine.environment(stack).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def docs() -> None:
    """Render the pictures in docs/ from their sources, and list the policies there."""
    from tools import policies
    from tools.pictures import render

    policies.PAGE.write_text(policies.page())
    render(_say)


def main() -> None:
    """Run a command; what goes wrong is one message on standard error."""
    try:
        app()
    except CommandError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
