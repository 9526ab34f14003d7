"""try-patch CREDENTIALS PATH PATCH: send the pod of the namespace POD_NAMESPACE at PATH, such as
NAME/resize, a patch as a sidecar sends it, but for nothing to come of it; print the answer and, in
a line of its own, its status.
"""

import json
import sys
from pathlib import Path

from .api import patch_pod
from .basics import say


def main(credentials: str, path: str, patch: str) -> None:
    code, said = patch_pod(Path(credentials), f"{path}?dryRun=All", json.loads(patch))
    say(f"{said}\n{code}")


if __name__ == "__main__":
    main(*sys.argv[2:])
