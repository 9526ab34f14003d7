"""A ConfigMap as the kubelet mounts it: a directory for each version, behind a link that is
swapped, after which the former directory goes away.
"""

import sys
from pathlib import Path


def version_of(source: Path) -> str:
    """The version that is mounted there, which has a name of its own; nothing if none is."""
    try:
        return str((source / "..data").readlink())
    except OSError:
        return ""


def texts_of(source: Path, version: str) -> dict[str, bytes] | None:
    """What the version's files have, by name. None if that can't be read, as when another version
    is mounted meanwhile."""
    try:
        files = (source / (version or "..data")).iterdir()
        texts = {file.name: file.read_bytes() for file in files}
    except OSError as error:
        if version_of(source) == version:
            print(f"cannot read {source}: {error.strerror}", file=sys.stderr, flush=True)
        return None
    return texts if version_of(source) == version else None
