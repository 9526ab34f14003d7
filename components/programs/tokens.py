"""The tokens that nginx accepts, the newest first."""

import time
from pathlib import Path
from typing import NamedTuple

from .basics import text_of

ENDLESS = 9999999999
"""The end of the newest token, and of a former one until the newest is accepted."""


class Token(NamedTuple):
    """A token, and a line of the file that remembers it."""

    end: int
    """When it ends, in seconds since the machine's start, which no change of the clock moves."""

    time: str
    """For people: since when it is accepted, `-` before it is, or until when."""

    value: str


def wrong(value: str) -> str:
    """What is wrong with it, nothing if it is a token.

    What RFC 6750 calls one can do no harm in a configuration.
    """
    if not value:
        return "is missing or empty"
    characters = value.rstrip("=")
    known = all(it.isascii() and (it.isalnum() or it in "-._~+/") for it in characters)
    if not characters or not known:
        return "has characters that no bearer token has"
    if len(value) > 1024:
        # nginx refuses all of a configuration that has a word of 4096.
        return "has more than 1024 characters"
    return "" if len(value) >= 16 else "has fewer than 16 characters"


def current(tokens: list[Token], now: float, value: str) -> list[Token]:
    """The tokens from now on, if the Secret has this one: without those that have ended, three
    former ones at most. Without a value the newest one stays.
    """
    kept = [token for token in tokens if token.end > now]
    if value and not (kept and kept[0].value == value):
        kept = [Token(ENDLESS, "-", value), *(token for token in kept if token.value != value)]
    return kept[:4]


def settled(tokens: list[Token], now: float, overlap: int) -> list[Token]:
    """The tokens once the newest is accepted: the others end so many seconds later."""
    newest, *former = tokens
    if newest.time == "-":
        newest = newest._replace(time=clock(0))
    end, until = int(now) + overlap, clock(overlap)
    return [
        newest,
        *(Token(end, until, old.value) if old.end == ENDLESS else old for old in former),
    ]


def clock(seconds: int) -> str:
    """The time in so many seconds, for people."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def told(tokens: list[Token]) -> str:
    """What is accepted, for people."""
    text = "no token is accepted yet"
    for token in tokens:
        if token.end != ENDLESS:
            text += f"; a former one until {token.time}"
        elif token.time != "-":
            text = f"accepting the token of {token.time}"
    return text


def listed(tokens: list[Token]) -> str:
    """The text of the file that outlives the program."""
    return "".join(f"{end} {at} {value}\n" for end, at, value in tokens)


def remembered(file: Path) -> list[Token]:
    """What such a file has; what is damaged there is left out."""
    lines = [line.split() for line in text_of(file).splitlines()]
    return [
        Token(int(line[0]), line[1], line[2])
        for line in lines
        if len(line) == 3 and line[0].isdecimal() and not wrong(line[2])
    ]
