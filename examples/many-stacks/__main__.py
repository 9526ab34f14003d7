"""Creates a namespace, or pages in the namespace that another stack of this program has created."""

from typing import Any

import pulumi
from sidecar_powers.restricted_namespace import RestrictedNamespace
from sidecar_powers.shared_filesystem import SharedFilesystem

config = pulumi.Config()
shared = config.get("shared")


def deploy(namespace: str) -> None:
    """Declare this stack's pages, once the namespace is known: it is part of their names."""
    images: Any = config.require_object("images")
    pages: Any = config.require_object("pages")
    for page in pages:
        SharedFilesystem(page, {"namespace": namespace, "images": images})


if shared:
    # Known in a preview too. An error if that stack is not there, or has not been deployed.
    pulumi.StackReference(shared).require_output("namespace").apply(deploy)
else:
    created = RestrictedNamespace("namespace", {"name": config.require("namespace")})
    pulumi.export("namespace", created.name)
