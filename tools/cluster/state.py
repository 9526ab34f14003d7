"""What the cluster keeps on disk, and how it is."""

import http.client
import json
import ssl

from tools.cluster import config
from tools.cluster.node import Progress
from tools.paths import LOCAL
from tools.programs import ClusterError

DATA = LOCAL / "cluster"
"""All that the cluster keeps."""

DISK = DATA / "disk.img"
"""The node's file system: etcd's data, images, containers, volumes."""

LOGS = DATA / "logs"
AUDIT = LOGS / "audit.log"
"""Requests to the API server from the machine, an audit.k8s.io/v1 Event a line."""

PKI = DATA / "pki"
PROGRESS = DATA / "progress.json"


def complete() -> bool:
    """Whether there is a cluster's data. One half is of no use without the other."""
    return DISK.exists() and PKI.exists()


def not_ready() -> str:
    """What the node lacks before pods can run on it; an empty string if nothing."""
    if not complete():
        return "the cluster's files are gone"
    # The standard library's client, since it asks no proxy.
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
    client = http.client.HTTPSConnection(config.API_IP, 6443, timeout=5, context=context)
    try:
        client.request("GET", f"/api/v1/nodes/{config.NODE}")
        answer = client.getresponse()
        found = json.loads(answer.read())
        if answer.status != 200:
            return found["message"]
        for condition in found["status"].get("conditions", []):
            if condition["type"] == "Ready" and condition["status"] != "True":
                return condition["message"]
        taints = [taint["key"] for taint in found["spec"].get("taints", [])]
        if taints:
            return f"still tainted: {', '.join(taints)}"
        client.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")
        answer = client.getresponse()
        answer.read()
        return "" if answer.status == 200 else "no service account yet"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"the API server does not answer: {error}"
    finally:
        client.close()


def progress() -> dict[str, Progress]:
    """How each part is doing, as the node last said; nothing if it has not said anything."""
    try:
        return json.loads(PROGRESS.read_text())
    except FileNotFoundError:
        return {}


def failure(part: str) -> ClusterError:
    """What to say of a part that does not run: the end of its log, which mostly tells why."""
    log = LOGS / f"{part}.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    said = "\n".join(f"  {line[:300]}" for line in lines)
    return ClusterError(f"{part} does not become ready; the last lines of {log}:\n{said}")
