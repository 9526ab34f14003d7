"""Files in a directory to which others may write, who may mean harm."""

import os

NEW = "..new"
"""The file that a rename makes a published one. None is published under this name."""


def careful(path: str, flags: int) -> int:
    """Opens for `open`: no link is followed, and neither a pipe nor a lease makes it wait."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
