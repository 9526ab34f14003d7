"""Bundles, archives (tar.gz) of files and directories, each in a directory of its own."""

import gzip
import hashlib
import shutil
import tarfile
from pathlib import Path

from .basics import drop


class RefusedError(Exception):
    """Why a bundle is not taken."""


def verify(file: Path, sha256: str, size: int) -> None:
    """Nothing reads what is in it before it is the right one. Raises RefusedError for another.

    The size is what it should have, 0 if nobody knows.
    """
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        there = file.stat().st_size
        cut = f"truncated, {there} of {size} bytes: " if there < size else ""
        raise RefusedError(f"{cut}sha256 is {found}, wanted {sha256}")


def keep(file: Path, directory: Path, entry: str, most: int) -> None:
    """Unpack it there, if it has that file: all of it or nothing, and nothing outside of it.

    Raises RefusedError for one that has more than files and directories of its own, or more than
    so many bytes.
    """
    part = directory.with_name(".part")
    remove(part)
    try:
        part.mkdir()
        _unpack(file, part, most)
        if not (part / entry).is_file():
            raise RefusedError(f"it has no {entry}")
        part.rename(directory)
    finally:
        remove(part)


class _Content(gzip.GzipFile):
    """What a bundle has in it. Raises RefusedError for more than so many bytes."""

    def __init__(self, file: Path, most: int) -> None:
        super().__init__(file)
        self._most = most
        self.got, self.last = 0, b""
        """How much was read, and what was read last."""

    def read(self, size: int | None = -1) -> bytes:
        self.last = super().read(size)
        self.got += len(self.last)
        if self.got > self._most:
            raise RefusedError(f"it unpacks to more than {self._most} bytes")
        return self.last


def _unpack(file: Path, directory: Path, most: int) -> None:
    try:
        with _Content(file, most) as content:
            # Block by block, so that the last one that was read is the one where it has ended.
            with tarfile.open(fileobj=content, mode="r|", bufsize=tarfile.BLOCKSIZE) as archive:
                # Python before 3.11.4 has no filter; what a member may be doesn't rest on it.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                for member in archive:
                    _check(member)
                    # Others read it, and it can be removed.
                    executable = member.isdir() or member.mode & 0o100
                    member.mode = 0o755 if executable else 0o644
                    archive.extract(member, directory)
            # To tarfile, a damaged header ends an archive as well as zeros, or nothing, do.
            if content.last.strip(b"\0") or content.got % tarfile.BLOCKSIZE:
                raise RefusedError("tar: it is damaged")
            # At its end, gzip compares a checksum.
            while content.read(65536):
                pass
    except RefusedError:
        raise
    except Exception as error:
        # What is wrong with an archive may show anywhere in a library.
        raise RefusedError(f"tar: {error}") from None


def _check(member: tarfile.TarInfo) -> None:
    """Raises RefusedError for what is no file or directory of the bundle's own."""
    plain = member.isdir() or (member.isreg() and not member.issparse())
    if not plain or member.name.startswith("/") or ".." in member.name.split("/"):
        raise RefusedError(f"it has more than files and directories of its own: {member.name!r}")


def switch(link: Path, target: str) -> None:
    """Whoever follows the link finds the old target or the new one."""
    new = link.with_name(f"{link.name}.new")
    drop(new)
    new.symlink_to(target)
    new.replace(link)


def remove(directory: Path) -> None:
    """Remove it with all that is in it, if it is there."""
    shutil.rmtree(directory, ignore_errors=True)


def remove_but(parent: Path, names: set[str]) -> None:
    """Remove all directories in the parent but those."""
    for path in parent.iterdir():
        if path.name not in names and path.is_dir() and not path.is_symlink():
            remove(path)
