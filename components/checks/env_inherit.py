"""A new label reaches the running app, and the sidecar can change nothing else."""

from typing import Any

from ..env_inherit import LABEL, VERSION_FILE, EnvInheritArgs
from ..manifest import Object
from ..own_pod import CREDENTIALS
from . import SLACK, Check, Live, UnmetError
from .api import REFUSED, patch_with_curl

UPDATE = 90
"""Seconds from the label to the file, which the kubelet writes with its next sync."""


def checks(args: EnvInheritArgs) -> list[Check]:
    """What must be true of a pod of EnvInherit."""
    interval = args.get("interval_seconds", 30)
    to_log = UPDATE + args.get("app_interval_seconds", 10)
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
            lines = [line.text for line in live.last_lines("main-app", 2)]
            versions = [line.removeprefix("APP_VERSION=") for line in lines if "VERSION" in line]
            if not labels.intersection(versions):
                raise UnmetError(f"in the file {live.until(in_file)}, in the log {versions}")
            return versions[-1]

        label = live.until(changed)
        start = live.elapsed
        live.until(in_file)
        file = live.elapsed - start
        live.until(in_log)
        log = live.elapsed - start
        if file > UPDATE or log > to_log:
            raise UnmetError(f"in the file after {file:.0f} s, in the log after {log:.0f} s")
        return f"{LABEL}={label} in the file after {file:.0f} s, in the log after {log:.0f} s"

    def token_only_there(live: Live) -> str:
        spec = live.pod()["spec"]
        secret = {volume["name"] for volume in spec.get("volumes", []) if _is_secret(volume)}
        paths: list[str] = []
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            mounts = container.get("volumeMounts", [])
            mounted = [mount["mountPath"] for mount in mounts if mount["name"] in secret]
            expected = [CREDENTIALS] if container["name"] == "version-updater" else []
            if mounted != expected:
                raise UnmetError(f"{container['name']} has tokens at {mounted}")
            if container["name"] == "main-app":
                paths = [mount["mountPath"] for mount in mounts]
        command = f"cat {CREDENTIALS}/token >/dev/null && echo present"
        if "present" not in live.run("version-updater", command):
            raise UnmetError("version-updater has no token")
        # Whatever a token looks like, it begins so: base64 of {" and its first key.
        places = " ".join(["/var/run", "/run", *paths])
        command = f"env | grep eyJ; grep -rls eyJ {places}; echo looked"
        seen = live.run("main-app", command).split()
        if seen != ["looked"]:
            raise UnmetError(f"main-app sees {' '.join(seen)}")
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
        if not tries:
            raise UnmetError("there is no other pod in the namespace to try it on")
        answers = {
            what: patch_with_curl(live, "version-updater", *patch)[0]
            for what, patch in tries.items()
        }
        answered = ", ".join(f"{what}: {answer}" for what, answer in answers.items())
        if not set(answers.values()) <= REFUSED:
            raise UnmetError(answered)
        # The same request for what is allowed shows what the refusals are worth.
        allowed, said = patch_with_curl(live, "version-updater", own, label)
        if allowed != "200":
            raise UnmetError(f"its own label: {allowed}: {said}")
        alone = "" if neighbours else "; no neighbour to try"
        return f"{answered}; its own label: 200{alone}"

    found = [
        Check(
            "label reaches the app",
            f"a new value of label {LABEL} is in {VERSION_FILE} within {UPDATE} s, in the app's"
            f" log within {to_log} s",
            interval + to_log + SLACK,
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


def _is_secret(volume: Object) -> bool:
    """Whether a volume has a token or another secret."""
    sources = volume.get("projected", {}).get("sources", [])
    return "secret" in volume or any(
        key in source for source in sources for key in ("serviceAccountToken", "secret")
    )


def _label(live: Live) -> str:
    return live.pod()["metadata"]["labels"].get(LABEL, "")
