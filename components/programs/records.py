"""An app's lines as records: JSON, an object a line."""

import codecs
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .masks import Masks

WINDOW = 65536
"""Bytes that are read at once. A line of more comes in pieces."""

_HEAD = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d))"
    rb"(?:\Z| (?:(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL) )?)"
)
"""Time and level, if a line begins with them."""


class Line(NamedTuple):
    text: bytes
    size: int
    """Bytes that it takes in its file, with its end."""
    partial: bool = False


def lines_of(data: bytes, masks: Masks, last: bool) -> Iterator[Line]:
    """What can be printed of what has been read: all whole lines, otherwise a piece of one that is
    longer than what is read at once, and the last one without its end, if that won't come.
    """
    *whole, rest = data.split(b"\n")
    for text in whole:
        yield Line(text, len(text) + 1)
    if len(data) == WINDOW and not whole:
        size = masks.cut(rest)
        yield Line(rest[:size], size, partial=True)
    elif len(data) < WINDOW and rest and last:
        yield Line(rest, len(rest))


def record(line: Line, place: str, masks: Masks) -> bytes:
    """The record of a line that begins at that place. Its time is now unless the line says one."""
    text, level = line.text, ""
    if head := _HEAD.match(text):
        text, when = text[head.end() :], head[1].decode()
        level = f',"level":"{head[2].decode()}"' if head[2] else ""
    else:
        when = _now()
    partial = ',"partial":true' if line.partial else ""
    message = _quoted(masks.masked(text).replace(b"\0", b"\xff").decode(errors="each-byte"))
    found = f'{{"time":"{when}","id":"{place}"{level}{partial},"message":{message}}}\n'
    return found.encode()


def remark(level: str, text: str) -> None:
    """What the log has of the sidecar itself is JSON too."""
    head = f'{{"time":"{_now()}","level":"{level}","sidecar":"log-processor"'
    with suppress(OSError):
        os.write(2, f'{head},"message":{_quoted(text)}}}\n'.encode())


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _each_byte(error: UnicodeError) -> tuple[str, int]:
    """Of what is no UTF-8 each byte becomes U+FFFD."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("each-byte", _each_byte)
_quoted = json.JSONEncoder(ensure_ascii=False).encode
