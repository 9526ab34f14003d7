"""Comparing a directory with what may be in it.

Others write to that directory while it is looked at, and may mean harm: what a name stood for a
moment ago it need not now. So no link is followed, nothing there is waited for, no more is read
than what is wanted has, and a look comes to its end.
"""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .contested import NEW, careful

NAMES, SECONDS, FINDINGS = 65536, 5, 100
"""How many bytes of names are looked at, how long that takes, and how many findings are named."""

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
}


class State(NamedTuple):
    """What is compared. All but files have one link and no size, whatever they have."""

    kind: str
    mode: str
    owner: str
    links: int = 1
    size: int = 0
    digest: str = ""
    """Of a file whose size is wanted, of no other."""

    def __str__(self) -> str:
        text = f"{self.kind} {self.mode} {self.owner}"
        if self.kind != "file":
            return text
        links = "" if self.links == 1 else f" {self.links} links"
        return f"{text}{links} {self.size} bytes {self.digest[:12]}".rstrip()


Files = dict[str, State]
"""Files by their names in the directory."""


class Seen(NamedTuple):
    """What is in the directory."""

    files: Files
    odd: list[str]
    """Names that could pass for something else, with ? for what no published name has."""

    whole: bool
    """Whether that is all of it."""


class Verdict(NamedTuple):
    """What a look came to."""

    findings: list[str]
    """What is not allowed, a line each."""

    pending: list[str]
    """The names of what is not yet as it is to be."""


def wanted(texts: dict[str, bytes], owner: str) -> Files:
    """The files that have these texts, as they are once they are published."""
    return {
        name: State("file", "644", owner, 1, len(text), hashlib.sha256(text).hexdigest())
        for name, text in texts.items()
    }


def look_at(directory: Path, versions: Sequence[Files]) -> Seen:
    """See what is there: what the versions have first, whatever else there is."""
    sizes: dict[str, set[int]] = {}
    for version in versions:
        for name, state in version.items():
            sizes.setdefault(name, set()).add(state.size)
    known = {name: _known(directory / name, sizes[name]) for name in sizes}
    seen = {name: state for name, state in known.items() if state}
    odd: list[str] = []
    whole = True
    for name, state in _walk(directory):
        spelled = re.sub(rb"[^A-Za-z0-9._/-]", b"?", os.fsencode(name)).decode()
        if state is None:
            whole = False
        elif spelled != name:
            odd.append(spelled)
        elif name not in known:
            seen[name] = state
    return Seen(seen, odd, whole)


def _known(path: Path, sizes: set[int]) -> State | None:
    """What is there under a known name. A file of one of the sizes is read: each time, since one
    that is mapped into memory changes and its times do not."""
    state = None
    # The publisher may put another file there in between, and once is all that it does.
    for _ in range(3):
        try:
            found = os.lstat(path)
        except OSError:
            return None
        state = _state(found)
        if state.kind != "file" or state.size not in sizes:
            break
        with suppress(OSError), open(path, "rb", buffering=0, opener=careful) as file:
            if os.path.samestat(os.fstat(file.fileno()), found):
                text = file.read(state.size + 1)
                return state._replace(digest=hashlib.sha256(text).hexdigest())
    return state


def _state(found: os.stat_result) -> State:
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    state = State(kind, f"{stat.S_IMODE(found.st_mode):o}", f"{found.st_uid}:{found.st_gid}")
    return state._replace(links=found.st_nlink, size=found.st_size) if kind == "file" else state


def _walk(top: Path) -> Iterator[tuple[str, State | None]]:
    """What is in a directory, at any depth. A name with None has more than can be seen."""
    room, end = NAMES, time.monotonic() + SECONDS
    waiting = [""]
    # It grows meanwhile: what is deep has its turn after what is not.
    for inside in waiting:
        try:
            for entry in _entries(top, inside):
                name = f"{inside}{entry.name}"
                room -= len(os.fsencode(name)) + 1
                if room < 0 or time.monotonic() > end:
                    yield inside, None
                    return
                try:
                    state = _state(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
                if state.kind == "directory":
                    waiting.append(f"{name}/")
                yield name, state
        except FileNotFoundError:
            # A directory that is gone has been seen as one.
            continue
        except OSError:
            yield inside, None


def _entries(top: Path, inside: str) -> Iterator[os.DirEntry[str]]:
    """What a directory has, however long its path is. None of its parents may be a link."""
    directory = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in inside.split("/")[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            inner = os.open(part, flags, dir_fd=directory)
            os.close(directory)
            directory = inner
        with os.scandir(directory) as entries:
            yield from entries
    finally:
        os.close(directory)


def judge(seen: Seen, now: Files, former: Sequence[Files]) -> Verdict:
    """What of that is not allowed. `now` is what must be there. With `former`, all versions before
    of which something may be left, a publication is under way: any of them is allowed, and so is
    the file that is about to be renamed, if it can be one of theirs."""
    findings = {
        f"odd name {name}: found other characters than A-Z a-z 0-9 . _ -, allowed nothing"
        for name in seen.odd
    }
    pending: set[str] = set()
    if not seen.whole:
        findings.add(
            "not all seen: found what can't be listed or 64 KiB of names, allowed is neither"
        )
    for name, found in seen.files.items():
        if found == now.get(name):
            continue
        if former:
            ours = name == NEW
            if ours or name in now or any(name in files for files in former):
                pending.add(name)
            if (ours and _half_written(found, [now, *former])) or any(
                found == it.get(name) for it in former
            ):
                continue
        findings.add(_finding(name, found, now.get(name)))
    for name in now.keys() - seen.files.keys():
        # What all of them have is never away: a rename puts a new file where the old one is.
        if all(name in files for files in former):
            findings.add(f"removed {name}: found nothing, allowed {now[name]}")
        else:
            pending.add(name)
    # Nothing that is added keeps what a published file has become from being named.
    first = sorted(findings, key=lambda line: (line.startswith(("added ", "odd ")), line))
    more = [f"more than these {FINDINGS}"] if len(findings) > FINDINGS else []
    return Verdict([*sorted(first[:FINDINGS]), *more], sorted(pending))


def _half_written(found: State, versions: Sequence[Files]) -> bool:
    """Whether the publisher makes such files: its own, and no longer than what it publishes."""
    # One that is renamed or removed while it is looked at may have no link left.
    state = found._replace(links=max(found.links, 1))
    return any(
        found.size <= it.size and state == it._replace(size=found.size, digest="")
        for version in versions
        for it in version.values()
    )


def _finding(name: str, found: State, allowed: State | None) -> str:
    if allowed is None:
        return f"added {name}: found {found}, allowed nothing"
    return f"changed {name}, {_differences(found, allowed)}: found {found}, allowed {allowed}"


def _differences(found: State, allowed: State) -> str:
    if found.kind != allowed.kind:
        return "kind"
    differs = {
        "mode": found.mode != allowed.mode,
        "owner": found.owner != allowed.owner,
        "links": found.links != allowed.links,
        "content": (found.size, found.digest) != (allowed.size, allowed.digest),
    }
    return " ".join(part for part, differ in differs.items() if differ)
