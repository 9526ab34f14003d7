"""Where things are: what belongs to this work tree, and what all clones share."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sidecar-powers"
"""Built binaries and images: costly to make, the same for every clone, safe to delete."""

GO = ROOT / "tools" / "go"
"""The Go modules that pin what is built from source."""

LOCAL = ROOT / ".local"
"""What this work tree's cluster and stacks leave on disk; not under version control."""

KUBECONFIG = LOCAL / "kubeconfig"
"""Of the local cluster's administrator. It exists while the cluster does."""

CONTEXT = "sidecar-powers-local"
"""The context in that kubeconfig."""


def built(module: str) -> Path:
    """Where the tools of a module in GO are, each version of it in a folder of its own."""
    pinned = b"".join((GO / module / file).read_bytes() for file in ("go.mod", "go.sum"))
    return CACHE / "bin" / f"{module}-{hashlib.sha256(pinned).hexdigest()[:12]}"
