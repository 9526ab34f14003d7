"""What every pod of the project holds to."""

from tests.unit.recorder import Object, containers

TOKEN_HOLDERS = ("version-updater", "resizer")
"""The containers of patterns that may have a token, one in a pod."""


def assert_hardened(pod: Object, labeler: str = "") -> None:
    """Pod Security `restricted` and more: see components/workload.py.

    `labeler` is the one container that may have a token, if it is none of a pattern.
    """
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] >= 10000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for container in containers(pod).values():
        context = {**container["securityContext"]}
        assert context.pop("runAsUser", 65532) >= 10000
        assert context == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
        for part in ("requests", "limits"):
            assert container["resources"][part].keys() >= {"cpu", "memory", "ephemeral-storage"}
    assert spec["enableServiceLinks"] is False
    for volume in spec.get("volumes", []):
        written = not volume.keys() & {"configMap", "downwardAPI", "projected", "secret"}
        assert not written or volume["emptyDir"]["sizeLimit"]
        if "serviceAccountToken" in str(volume):
            (holder,) = users(pod, volume["name"])
            assert holder in ([labeler] if labeler else TOKEN_HOLDERS)


def users(pod: Object, volume: str) -> list[str]:
    """The containers that mount a volume."""
    return [
        name
        for name, container in containers(pod).items()
        if volume in [mount["name"] for mount in container.get("volumeMounts", [])]
    ]
