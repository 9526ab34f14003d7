"""Env inherit: a sidecar changes what a running app reads of its own pod.

Shows the downward API as a volume: the sidecar sets its own pod's `version`
label through the API, the kubelet writes the label into a file within seconds,
and the app reads the file. Environment variables stay as they were at the
start; only the volume changes.
https://kubernetes.io/docs/concepts/workloads/pods/downward-api/

Guarantees: only the sidecar has a token, it expires within the hour and is read
again at each use; it can change nothing but that label of its own pod (see
pod_labeler.py); an API server that is away is tried again and crashes nothing.
Leaves out: labels that select pods. Changing those would orphan them.
"""

from typing import NotRequired

import pulumi

from .messages import check_keys
from .own_pod import CREDENTIALS, OWN_NAME, TOKEN_MOUNT, TOKEN_VOLUME, field
from .parts import API_ACCESS, script
from .pod_labeler import PodLabeler, PodLabelerArgs
from .workload import Pattern, PodTemplate, WorkloadArgs

LABEL = "version"
"""The label that the sidecar changes."""

VERSION_FILE = "/etc/podinfo/version"
"""Where the app reads it."""


class EnvInheritArgs(WorkloadArgs):
    """Arguments of EnvInherit."""

    interval_seconds: NotRequired[int]
    """Seconds between two new versions. Default 30."""

    app_interval_seconds: NotRequired[int]
    """Seconds between two times the app prints the version. Default 10."""

    initial_version: NotRequired[str]
    """The version before the first change, a label value. Default `1.0.0`."""

    service_account: NotRequired[str]
    """Name of the RBAC bundle's objects. Default `pod-labeler`."""

    admission_policy: NotRequired[bool]
    """Hold the sidecar to its own pod and its one label, whatever RBAC lets it
    patch. Default true; false for those who may not create cluster-scoped objects."""


def pod(_name: str, args: EnvInheritArgs) -> PodTemplate:
    """The pod of an instance."""
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "shell",
            "command": script(
                "print-version",
                "main-app",
                VERSION_FILE,
                args.get("app_interval_seconds", 10),
            ),
            "volumeMounts": [{"name": "podinfo", "mountPath": "/etc/podinfo", "readOnly": True}],
        },
        sidecars=[
            {
                "name": "version-updater",
                "image": "curl",
                "command": script(
                    "label-pod",
                    "version-updater",
                    LABEL,
                    args.get("interval_seconds", 30),
                    CREDENTIALS,
                    uses=["api"],
                ),
                "env": OWN_NAME,
                "volumeMounts": [TOKEN_MOUNT],
            }
        ],
        volumes=[
            {
                "name": "podinfo",
                "downwardAPI": {
                    "items": [{"path": "version", **field(f"metadata.labels['{LABEL}']")}]
                },
            },
            TOKEN_VOLUME,
        ],
        spec={"serviceAccountName": args.get("service_account", "pod-labeler")},
        labels={**API_ACCESS, LABEL: args.get("initial_version", "1.0.0")},
    )


class EnvInherit(Pattern):
    """An app that reads its version from its pod's label, which a sidecar changes."""

    def __init__(
        self, name: str, args: EnvInheritArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, EnvInheritArgs)
        super().__init__("sidecar-powers:index:EnvInherit", name, {}, opts)
        bundle: PodLabelerArgs = {
            "namespace": args.get("namespace", "default"),
            "name": args.get("service_account", "pod-labeler"),
            "label": LABEL,
            "admission_policy": args.get("admission_policy", True),
        }
        if args.get("workload") == "pod":
            bundle["pod_name"] = name
        labeler = PodLabeler(f"{name}-labeler", bundle, opts=pulumi.ResourceOptions(parent=self))
        self._deploy(
            name,
            "env-inherit",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c main-app -f",
                "kubectl -n {namespace} logs {workload} -c version-updater -f",
                "kubectl -n {namespace} get pods -L version -l app.kubernetes.io/instance={name}",
            ],
            ignore_changes=[f"metadata.labels.{LABEL}"],
            depends_on=[labeler],
        )
