"""Changing pods through the API server, with a service account's token."""

import http.client
import json
import os
import ssl
import time
from pathlib import Path

from .basics import say

TIMEOUT_S = 10


def patch_pod(credentials: Path, path: str, patch: object) -> tuple[int, str]:
    """Send a pod of POD_NAMESPACE, or its subresource such as NAME/resize, a strategic merge patch.

    Returns the status and the text of the answer, or 0 and why there is none. Token and ca.crt are
    read at each use, since the kubelet replaces them.
    """
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    try:
        server = http.client.HTTPSConnection(
            host, int(port), timeout=TIMEOUT_S, context=_trust(credentials / "ca.crt")
        )
        # In one line, since the error that refuses a header of two would show it.
        token = " ".join((credentials / "token").read_text().split())
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/strategic-merge-patch+json",
            "User-Agent": "sidecar",
        }
        pods = f"/api/v1/namespaces/{os.environ['POD_NAMESPACE']}/pods"
        try:
            server.request("PATCH", f"{pods}/{path}", json.dumps(patch), headers)
            answer = server.getresponse()
            text = answer.read().decode(errors="replace").strip()
        finally:
            server.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return 0, f"The request to {host} port {port} failed: {error}"
    if answer.status != http.client.OK:
        text += f"\nThe requested URL returned error: {answer.status}"
    return answer.status, text


def _trust(ca: Path) -> ssl.SSLContext:
    """Trust this file alone, whatever CA it has: from Python 3.13 on, the standard library's own
    choice refuses those without extensions that clusters do not always give theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(ca)
    return context


class Retries:
    """Waits before another try 1 s, 2 s, 4 s, up to so many, until it is told to begin again."""

    def __init__(self, most: int) -> None:
        self._most, self._next = most, 1

    def wait(self) -> None:
        seconds = min(self._next, self._most)
        say(f"Trying again in {seconds} s")
        time.sleep(seconds)
        self._next = seconds * 2

    def reset(self) -> None:
        self._next = 1
