"""What the API server answers to a sidecar, tried with its own token."""

import json
import re
import shlex
from typing import Any

from ..own_pod import CREDENTIALS
from ..parts import program
from . import Live

# As the sidecar sends it, but for nothing to come of it where it is not refused. To curl's
# own name the API server would answer in many lines.
_REQUEST = """
case $KUBERNETES_SERVICE_HOST in
  *:*) host="[$KUBERNETES_SERVICE_HOST]" ;;
  *) host=$KUBERNETES_SERVICE_HOST ;;
esac
pods=/api/v1/namespaces/$POD_NAMESPACE/pods
printf 'header = "Authorization: Bearer %s"\\n' "$(cat {credentials}/token)" |
  curl --config - --silent --show-error --max-time 10 --write-out '\\n%{{http_code}}' \\
    --user-agent verify --cacert {credentials}/ca.crt --request PATCH \\
    --header 'Content-Type: application/strategic-merge-patch+json' --data '{patch}' \\
    "https://$host:$KUBERNETES_SERVICE_PORT$pods/{path}?dryRun=All" 2>&1
"""

REFUSED = {"403", "422"}
"""What it answers where RBAC or an admission policy refuses."""


def patch_with_curl(live: Live, container: str, path: str, patch: Any) -> tuple[str, str]:
    """The status code of a patch that a container sends, and what the API server says.

    `path` is a pod's name, or one and a subresource: `it/resize`.
    """
    command = _REQUEST.format(credentials=CREDENTIALS, patch=json.dumps(patch), path=path)
    return _answer(live.run(container, command))


def patch_with_python(live: Live, container: str, path: str, patch: Any) -> tuple[str, str]:
    """The same from a container that has Python."""
    command = program("try-patch", "verify", CREDENTIALS, path, json.dumps(patch))
    return _answer(live.run(container, shlex.join(command)))


def _answer(printed: str) -> tuple[str, str]:
    said, _, code = printed.strip().rpartition("\n")
    message = re.search(r'"message":"((?:[^"\\]|\\.)*)"', said)
    return code, message[1] if message else said
