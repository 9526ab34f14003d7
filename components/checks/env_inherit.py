"""A new label reaches the running app, and the sidecar can change nothing else."""

import json
import re
from typing import Any

from ..env_inherit import CREDENTIALS, LABEL, VERSION_FILE, EnvInheritArgs
from . import SLACK, Check, Live, UnmetError

UPDATE = 90
"""Seconds from the label to the app's log; the kubelet writes the file with its next sync."""

_REQUEST = (
    "curl --silent --show-error --max-time 10 --write-out '\\n%{{http_code}}'"
    # To curl itself the API server answers in many lines.
    " --user-agent verify"
    " --cacert {credentials}/ca.crt"
    ' --header "Authorization: Bearer $(cat {credentials}/token)" --request PATCH'
    " --header 'Content-Type: application/strategic-merge-patch+json' --data '{patch}'"
    " https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
    # Nothing comes of it where it is not refused.
    "/api/v1/namespaces/$POD_NAMESPACE/pods/{pod}?dryRun=All 2>&1"
)


def checks(args: EnvInheritArgs) -> list[Check]:
    """What must be true of a pod of EnvInherit."""
    interval = args.get("interval_seconds", 30)
    # Without the policy, a role that names no pod lets the sidecar change all of them.
    bound = args.get("admission_policy", True)

    def label_reaches_app(live: Live) -> str:
        first = _label(live)
        labels: set[str] = set()

        def changed() -> str:
            label = _label(live)
            if label == first:
                raise UnmetError(f"label {LABEL} still {first}")
            labels.add(label)
            return label

        def in_file() -> str:
            changed()
            version = live.run("main-app", f"cat {VERSION_FILE}").strip()
            if version not in labels:
                raise UnmetError(f"label {LABEL} {_label(live)}, in the file still {version}")
            return version

        def in_log() -> str:
            changed()
            text = [line.text for line in live.log("main-app", last=2)]
            versions = [line.removeprefix("APP_VERSION=") for line in text if "VERSION" in line]
            if not labels.intersection(versions):
                raise UnmetError(f"in the file {live.until(in_file)}, in the log {versions}")
            return versions[-1]

        label = live.until(changed)
        start = live.elapsed
        live.until(in_file)
        file = live.elapsed - start
        live.until(in_log)
        log = live.elapsed - start
        if log > UPDATE:
            raise UnmetError(f"in the log after {log:.0f} s")
        return f"{LABEL}={label} in the file after {file:.0f} s, in the log after {log:.0f} s"

    def token_only_there(live: Live) -> str:
        spec = live.pod()["spec"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            mounts = [item["mountPath"] for item in container.get("volumeMounts", [])]
            if (CREDENTIALS in mounts) != (container["name"] == "version-updater"):
                raise UnmetError(f"{container['name']} mounts {', '.join(mounts)}")
        command = f"cat {CREDENTIALS}/token >/dev/null && echo present"
        if "present" not in live.run("version-updater", command):
            raise UnmetError("version-updater has no token")
        # Whatever a token looks like, it begins so: base64 of {" and its first key.
        command = f"ls -A {CREDENTIALS} 2>/dev/null; env | grep eyJ; grep -rls eyJ /var/run /run"
        seen = live.run("main-app", command).strip()
        if seen:
            raise UnmetError(f"main-app sees {seen}")
        return "in version-updater, not in main-app"

    def own_label_only(live: Live) -> str:
        own = live.pod()["metadata"]["name"]
        neighbours = live.neighbours()[:1]
        label: dict[str, Any] = {"metadata": {"labels": {LABEL: _label(live)}}}
        image = {"spec": {"containers": [{"name": "main-app", "image": "other:1"}]}}
        tries = {f"neighbour {name}": (name, label) for name in neighbours}
        if bound:
            tries["another label"] = (own, {"metadata": {"labels": {"other": "x"}}})
            tries["the spec"] = (own, image)
        answers = {what: _patch(live, *patch)[0] for what, patch in tries.items()}
        answered = ", ".join(f"{what}: {answer}" for what, answer in answers.items())
        if not set(answers.values()) <= {"403", "422"}:
            raise UnmetError(answered)
        # The same request for what is allowed shows what the refusals are worth.
        allowed, said = _patch(live, own, label)
        if allowed != "200":
            raise UnmetError(f"its own label: {allowed}: {said}")
        return f"{answered}; its own label: 200"

    found = [
        Check(
            "label reaches the app",
            f"a new value of label {LABEL} is in {VERSION_FILE} and in the app's log"
            f" within {UPDATE} s",
            interval + UPDATE,
            label_reaches_app,
        ),
        Check(
            "token only in the sidecar",
            "version-updater has an API token, main-app has none",
            SLACK,
            token_only_there,
        ),
    ]
    if bound or args.get("workload") == "pod":
        found.append(
            Check(
                "own label only",
                "patching a neighbour, another label or the spec is refused (403 or 422)",
                3 * SLACK,
                own_label_only,
            )
        )
    return found


def _label(live: Live) -> str:
    return live.pod()["metadata"]["labels"].get(LABEL, "")


def _patch(live: Live, pod: str, patch: Any) -> tuple[str, str]:
    """The status code of a patch that the sidecar sends, and what the API server says."""
    command = _REQUEST.format(credentials=CREDENTIALS, patch=json.dumps(patch), pod=pod)
    said, _, code = live.run("version-updater", command).strip().rpartition("\n")
    message = re.search(r'"message":"((?:[^"\\]|\\.)*)"', said)
    return code, message[1] if message else said
