"""Secrets in an app's lines."""

import re

_SECRET = r"""
    (?: (?:NAMES)
        (?: (?<=authorization) (?P<header>)
            (?: (?<=(?P<around>["'])authorization) (?=[ \t]*[=:]) )?
        )?
        \\*["']? [ \t]*[=:]+>?[ \t]*
      | (?<![a-z0-9_-]) (?>[a-z0-9_-]*?--) [a-z0-9_-]*(?:NAMES) [ \t]++(?![=:])
      | bearer[ \t]+
    )
    (?: [a-z]{0,2} (?P<quote>\\*["']) )?
    (?P<value>
      (?(quote)
        (?: .*?(?<!\\)(?=(?P=quote)) | .* )
      | (?(header)
        (?: (?(around) (?>.*?(?=(?P=around)))(?<![\\= \t]) | (?!) )
          | (?:null|none|true|false)(?![^ \t,;}\])])
          | (?:(?:SCHEMES)[ \t]+)+[^ \t]*
          | .*
        )
      | (?: digest[ \t].* | (?:(?:SCHEMES)[ \t]+)*[^ \t]* )
      ))
    )
"""
"""In lower case, which is faster to find than any case. A value in quotes ends at the same quotes,
unless a backslash stands before them; one without ends at white space, so rather too much is
masked than too little.

What authorizes may be of many words and have quotes in it, so it goes on to the line's end, unless
its scheme has one word, or there is none, or it is in quotes together with its name: they end it
unless they are one word's within it, as in name="Joe".

What begins somewhere in a word is sought from the word's beginning on, with one try a word: the
time that a line takes must not grow with the square of its length.
"""

_SCHEMES = "bearer|basic|negotiate|ntlm|token|apikey|sharedkey|sharedkeylite"
"""Of authorization, which have one word."""

_WITH_USER = re.compile(rb"""(?<![^ \t"])(?>[^ \t"]*?://)[^ \t"]*@""")
"""A word with a URL up to its last @."""

_USER = re.compile(
    rb"""
    ( '[\w+.:-]*?:// ) (?: [^/:']*+: [^']* | [^/?#:,;|&<>']+ ) @
    | ( :// ) (?: [^/:]*+: .* | [^/?#:,;|&<>']+ ) @
    """,
    re.VERBOSE | re.DOTALL,
)
"""In such a word, user and password, or a user alone, which may be a token. A password may have
anything in it, so it goes on to the word's last @, or to the last one in the single quotes that
the URL begins in.
"""

_LAST_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]*\Z")
"""Of several bytes in UTF-8, maybe without its last ones."""


class Masks:
    """Puts *** in place of each value that follows one of the names, in any case: NAME=value,
    NAME: value, NAME => value, "NAME": "value", --NAME value. Also what follows Bearer, and user
    and password in a URL, or a user alone. The names are a regular expression, in lower case.
    """

    def __init__(self, names: str) -> None:
        secret = _SECRET.replace("NAMES", names).replace("SCHEMES", _SCHEMES)
        self._secret = re.compile(secret.encode(), re.VERBOSE | re.DOTALL)
        self._last_name = re.compile(rb".*(?:%b|bearer)" % names.encode(), re.DOTALL)

    def masked(self, text: bytes) -> bytes:
        out, done = b"", 0
        for found in self._secret.finditer(text.lower()):
            out += text[done : found.start("value")] + b"***"
            done = found.end("value")
        out += text[done:]
        return _WITH_USER.sub(_without_user, out) if b"://" in out else out

    def cut(self, text: bytes) -> int:
        """How much of a line that is too long for one record comes first: a name and its value
        stay together, and so do the bytes of a character.

        Without white space where it can be cut it is likely JSON, or the fields of a form. If all
        of it is one value it's cut anyway, but not within what may be a name further on.
        """
        low = text.lower()
        last = self._last_name.match(low)
        end = last.end() if last else 0
        free, value = bytearray(low), 0
        for found in self._secret.finditer(low):
            free[found.start() : found.end()] = b"*" * len(found[0])
            value = found.start("value")
        if not low[end:].strip(b" \t\\\"'"):
            # What follows may be the name's value.
            del free[end:]
        for separators in (b" \t", b'"', b",;&"):
            if (at := _last_of(separators, free)) >= 0:
                return at + 1
        begin = max(value, len(low) // 2)
        for until in (end, len(low)):
            if (at := _last_of(b" \t", low[begin:until])) >= 0:
                return begin + at + 1
        character = _LAST_CHARACTER.search(text)
        return character.start() if character else len(text)


def _last_of(separators: bytes, text: bytes | bytearray) -> int:
    return max(map(text.rfind, separators))


def _without_user(found: re.Match[bytes]) -> bytes:
    return _USER.sub(rb"\1\2***@", found[0])
