"""Renders stacks with the code of any revision, in that revision's own process.

A script, since what it imports is the revision's `tools`, not ours: the one whose root it is given
on standard input. Prints a line of JSON for each stack. Secrets leave it as marks that only tell
whether two of them are equal, to whoever knows the key of this run.
"""

import hashlib
import hmac
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, cast


def main() -> None:
    """Render the stacks that were asked for."""
    request: Any = json.load(sys.stdin)
    # Whatever the program itself prints is no result.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    root = Path(request["root"])
    os.chdir(root)
    sys.path[0] = str(root)
    for stack in request["stacks"]:
        answer: dict[str, Any] = {"stack": stack}
        try:
            answer["objects"] = _objects(stack, request["key"])
        except (Exception, SystemExit) as error:
            answer["problem"] = _reason(error, root)
        print(json.dumps(answer, default=str), file=results, flush=True)


def _objects(stack: str, key: str) -> list[dict[str, Any]]:
    from tools import render

    found: list[Any] = cast(Any, render.render)(stack)
    plain = found
    if render.REDACTED in json.dumps([item.object for item in found], default=str):
        plain = render.render(stack, secrets=True)
    return [
        {
            "object": _marked(item.object, other.object, render.REDACTED, key),
            # Older renderers don't tell them.
            "urn": getattr(item, "urn", ""),
            "options": getattr(item, "options", {}),
        }
        for item, other in zip(found, plain, strict=True)
    ]


def _marked(hidden: Any, plain: Any, redacted: str, key: str) -> Any:
    """A value without its secrets, each distinct one with a mark of its own."""
    if hidden == redacted and plain != redacted:
        text = json.dumps(plain, sort_keys=True, default=str)
        digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"[secret {digest[:16]}]"
    if isinstance(hidden, dict):
        mapping = cast(dict[str, Any], hidden)
        return {name: _marked(mapping[name], plain[name], redacted, key) for name in mapping}
    if isinstance(hidden, list):
        pairs = zip(cast(list[Any], hidden), plain, strict=True)
        return [_marked(left, right, redacted, key) for left, right in pairs]
    return hidden


def _reason(error: BaseException, root: Path) -> str:
    """What is wrong, and where if it was not meant for people."""
    name = type(error).__name__
    if name == "CommandError" or isinstance(error, SystemExit):
        return str(error)
    if isinstance(error, ImportError) and not (root / "tools" / "render.py").exists():
        return "It has no tools/render.py to render with."
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]
    place = ""
    if own:
        place = f" ({Path(own[-1].filename).relative_to(root)}, line {own[-1].lineno})"
    return f"{name}: {error}{place}"


if __name__ == "__main__":
    main()
