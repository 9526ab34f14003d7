"""Waiting for files to change."""

import ctypes
import os
import select
import sys
from pathlib import Path

CLOSE_WRITE, MOVED_TO = 0x8, 0x80
"""https://man7.org/linux/man-pages/man7/inotify.7.html"""


class Changes:
    """Tells when a file in a directory has been written, or renamed into it.

    The directory is watched, not the file: the kubelet swaps a symbolic link in it, others rename
    a file into it, and a watch on a file would end with that file. A watch that can't be had is
    said, and costs time and nothing else.
    """

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        watch: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        path = os.fsencode(directory)
        if watch < 0 or libc.inotify_add_watch(watch, path, CLOSE_WRITE | MOVED_TO) < 0:
            # A node has only so many of them for a user.
            reason = os.strerror(ctypes.get_errno())
            print(f"cannot watch {directory}: {reason}", file=sys.stderr, flush=True)
        # In its place, one that is never readable.
        self.descriptor = watch if watch >= 0 else os.eventfd(0)
        """Readable once something has changed, for those who wait for more than that."""

    def wait(self, seconds: float) -> None:
        """Return once something has changed since the last call, at the latest in so many seconds:
        a change that no watch tells of, as on some network file systems, costs time and no more.
        """
        if select.select([self.descriptor], [], [], seconds)[0]:
            # All that has come until now is one change.
            os.read(self.descriptor, 65536)
