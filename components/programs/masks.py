"""Secrets in an app's lines."""

import re

_SECRET = r"""
    (?: (?:NAMES) \\*["']? [ \t]*[=:][ \t]*
      | (?<![a-z0-9_-]) (?>[a-z0-9_-]*?--) [a-z0-9_-]*(?:NAMES) [ \t]+
      | bearer[ \t]+
    )
    (?: [a-z]{0,2} (?P<quote>\\*["']) )?
    (?P<value>
      (?(quote)
        (?: .*?(?<!\\)(?=(?P=quote)) | .* )
      | (?: digest[ \t].* | (?:(?:bearer|basic|negotiate|token|apikey)[ \t]+)?[^ \t]* )
      )
    )
"""
"""In lower case, which is faster to find than any case. A value in quotes ends at the same quotes,
unless a backslash stands before them; one without ends at white space, so rather too much is
masked than too little.

What begins somewhere in a word is sought from the word's beginning on, with one try a word: the
time that a line takes must not grow with the square of its length.
"""

_URL = re.compile(rb"""(?<![^@ \t"'])(?>([^@ \t"']*?)://[^/:@ \t"']*+:)[^@ \t"']*+@""")

_LAST_CHARACTER = re.compile(rb"[\xc0-\xff][\x80-\xbf]*\Z")
"""Of several bytes in UTF-8, maybe without its last ones."""


class Masks:
    """Puts *** in place of each value that follows one of the names, in any case: NAME=value,
    NAME: value, "NAME": "value", --NAME value. Also what follows Bearer, and user and password in
    a URL. The names are a regular expression, in lower case.
    """

    def __init__(self, names: str) -> None:
        flags = re.VERBOSE | re.DOTALL
        self._secret = re.compile(_SECRET.replace("NAMES", names).encode(), flags)
        self._last_name = re.compile(rb".*(?:%b|bearer)" % names.encode(), re.DOTALL)

    def masked(self, text: bytes) -> bytes:
        out, done = b"", 0
        for found in self._secret.finditer(text.lower()):
            out += text[done : found.start("value")] + b"***"
            done = found.end("value")
        out += text[done:]
        return _URL.sub(rb"\1://***@", out) if b"://" in out else out

    def cut(self, text: bytes) -> int:
        """How much of a line that is too long for one record comes first: a name and its value
        stay together, and so do the bytes of a character.
        """
        low = text.lower()
        last = self._last_name.match(low)
        end = last.end() if last else len(low)
        blank = max(low.rfind(b" ", 0, end), low.rfind(b"\t", 0, end))
        if blank >= 0:
            return blank + 1
        character = _LAST_CHARACTER.search(text)
        return character.start() if character else len(text)
