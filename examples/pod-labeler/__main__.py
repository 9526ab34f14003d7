"""Runs a worker of the team's own that may change one label of its own pod, and no more."""

from pathlib import Path

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ContainerArgsDict, Namespace, VolumeArgsDict
from sidecar_powers.pod_labeler import PodLabeler

config = pulumi.Config()
name = config.require("namespace")
namespace = Namespace(
    "namespace",
    metadata={"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
)
labeler = PodLabeler(
    "worker",
    {"namespace": name, "name": "worker", "label": "phase"},
    pulumi.ResourceOptions(depends_on=[namespace]),
)

container: ContainerArgsDict = {
    "name": "worker",
    "image": config.require("image"),
    "command": ["/bin/sh", "-c", Path(__file__).with_name("work.sh").read_text()],
    "env": [
        {"name": "POD", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
        {"name": "NAMESPACE", "value": name},
    ],
    "resources": {
        "requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"},
        "limits": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
    },
    "security_context": {
        "allow_privilege_escalation": False,
        "capabilities": {"drop": ["ALL"]},
        "read_only_root_filesystem": True,
    },
    "termination_message_policy": "FallbackToLogsOnError",
    "volume_mounts": [{"name": "api", "mount_path": "/var/run/api", "read_only": True}],
}
# The token is in the container that mounts it, and in no other that may come.
api: VolumeArgsDict = {
    "name": "api",
    "projected": {
        "sources": [
            {"service_account_token": {"path": "token", "expiration_seconds": 3600}},
            {
                "config_map": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
        ]
    },
}
# The phase selects nothing: a pod that changes it would leave its Deployment.
selector = {"app": "worker"}
Deployment(
    "worker",
    metadata={"name": "worker", "namespace": name},
    spec={
        "selector": {"match_labels": selector},
        "template": {
            "metadata": {"labels": {**selector, "phase": "starting"}},
            "spec": {
                "service_account_name": labeler.service_account,
                "automount_service_account_token": False,
                "enable_service_links": False,
                "security_context": {
                    "run_as_non_root": True,
                    "run_as_user": 65532,
                    "run_as_group": 65532,
                    "fs_group": 65532,
                    "seccomp_profile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [api],
            },
        },
    },
    # Not only on the account: on what lets it patch, and on what holds it to its own pod.
    opts=pulumi.ResourceOptions(depends_on=[labeler]),
)
pulumi.export("namespace", name)
