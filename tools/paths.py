"""Where things are: what belongs to this work tree, and what all clones share."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sidecar-powers"
"""Built binaries and images: costly to make, the same for every clone, safe to delete."""

BIN = CACHE / "bin"
"""The Kubernetes and Pulumi binaries."""

LOCAL = ROOT / ".local"
"""What this work tree's cluster and stacks leave on disk; not under version control."""

KUBECONFIG = LOCAL / "kubeconfig"
"""Of the local cluster's administrator. It exists while the cluster does."""

CONTEXT = "sidecar-powers-local"
"""The context in that kubeconfig."""
