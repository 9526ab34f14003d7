"""Turns app, sidecars and volumes into a Deployment or a Pod.

Every pattern goes through here, so that all of them are hardened alike:
Pod Security `restricted`, a read-only root file system, no API token unless a
container mounts one itself, requests and limits on every container.
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import pulumi

from .manifest import Object, register
from .messages import any_of
from .parts import IMAGES, USER, labels_of, selector_of
from .usage import RESOURCE_NAMES, Usage, pod_usage, qos_class, texts, times, total

_LOW_PORTS = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
"""Lets any user listen below 1024; one of the sysctls that `restricted` allows."""


class Resources(TypedDict):
    """Requests and limits of one container.

    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
    """

    requests: NotRequired[dict[str, str]]
    """Quantity by resource name (`cpu`, `memory`, `ephemeral-storage`)."""

    limits: NotRequired[dict[str, str]]
    """Quantity by resource name."""


class WorkloadArgs(TypedDict):
    """What every pattern takes."""

    namespace: NotRequired[str]
    """Namespace of all objects. Default `default`."""

    workload: NotRequired[str]
    """`deployment` (default) or `pod`; any change of a Pod's spec replaces it."""

    replicas: NotRequired[int]
    """Pods of a Deployment. Default 1; more get a PodDisruptionBudget. An error with `pod`.
    https://kubernetes.io/docs/tasks/run-application/configure-pdb/"""

    timeout_seconds: NotRequired[int]
    """Seconds in which it must become ready after it is created or changed. Default 300.
    A Deployment that isn't by then is left as it is, and keeps trying.
    https://www.pulumi.com/docs/iac/concepts/resources/options/customtimeouts/"""

    sidecars: NotRequired[str]
    """`native` (default: start before the app, stop after it) or `classic`.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/"""

    images: NotRequired[dict[str, str]]
    """Image by role (`nginx`, `shell`, `curl`, `toolbox`, `python`) or by container name, which
    wins."""

    resources: NotRequired[dict[str, Resources]]
    """Requests and limits by container name, laid over the pattern's own."""

    default_resources: NotRequired[Resources]
    """Requests and limits of containers for which the pattern has none of its own."""


RESOURCES: Resources = {
    "requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"},
    "limits": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "128Mi"},
}
"""What a container gets where neither its pattern nor an argument says otherwise."""


@dataclass(frozen=True)
class PodTemplate:
    """A pattern's pod before it is hardened.

    Containers are manifests whose `image` is a role and whose `resources` are
    the pattern's own, if it has any.
    """

    app: Object
    sidecars: Sequence[Object]
    init: Sequence[Object] = ()
    volumes: Sequence[Object] = ()
    spec: Object = field(default_factory=dict[str, Any])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    companions: Mapping[str, tuple["PodTemplate", WorkloadArgs]] = field(
        default_factory=dict[str, tuple["PodTemplate", WorkloadArgs]]
    )
    """Pods that the component deploys beside it, with their arguments, by their workload's name."""

    @property
    def containers(self) -> list[Object]:
        return [*self.init, self.app, *self.sidecars]

    @property
    def names(self) -> list[str]:
        """The names of all containers, those of companions too."""
        others = [name for other, _ in self.companions.values() for name in other.names]
        return [*(container["name"] for container in self.containers), *others]


def unknown_names(template: PodTemplate, args: WorkloadArgs) -> list[str]:
    """What is wrong with the names in `images` and `resources`, a line each."""
    names = template.names
    found = [(f"resources.{name}", name, names) for name in args.get("resources", {})]
    found += [(f"images.{name}", name, [*IMAGES, *names]) for name in args.get("images", {})]
    return [
        f"{path}: found {name!r}, allowed is {any_of(allowed, name)}"
        for path, name, allowed in found
        if name not in allowed
    ]


def pod_spec(template: PodTemplate, args: WorkloadArgs) -> Object:
    """The hardened pod spec. Raises ValueError for arguments that don't fit the pattern."""
    images, resources = args.get("images", {}), args.get("resources", {})
    problems = unknown_names(template, args)
    if problems:
        raise ValueError("\n".join(problems))
    choices = {**IMAGES, **images}
    defaults = merged(RESOURCES, args.get("default_resources", {}))

    def hardened(container: Object) -> Object:
        name = container["name"]
        own = merged(defaults, container.get("resources", {}))
        return {
            **container,
            "image": choices.get(name, choices[container["image"]]),
            "resources": merged(own, resources.get(name, {})),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                **container.get("securityContext", {}),
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        }

    ports = [
        port["containerPort"]
        for container in template.containers
        for port in container.get("ports", [])
    ]
    init = [hardened(container) for container in template.init]
    sidecars = [hardened(container) for container in template.sidecars]
    containers = [hardened(template.app)]
    if _choice("sidecars", args.get("sidecars", "native"), ["native", "classic"]) == "native":
        init += [{**sidecar, "restartPolicy": "Always"} for sidecar in sidecars]
    else:
        containers += sidecars
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **template.spec,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
            **({"sysctls": [_LOW_PORTS]} if min(ports, default=1024) < 1024 else {}),
        },
        **({"initContainers": init} if init else {}),
        "containers": containers,
        **({"volumes": list(template.volumes)} if template.volumes else {}),
    }


def pod_specs(template: PodTemplate, args: WorkloadArgs) -> list[tuple[Object, WorkloadArgs]]:
    """The hardened pod specs of a pattern and its companions, each with its arguments.

    Raises ValueError for arguments that don't fit.
    """
    others = [pair for companion in template.companions.values() for pair in pod_specs(*companion)]
    return [(pod_spec(template, args), args), *others]


def usage_of(specs: Iterable[tuple[Object, WorkloadArgs]]) -> Usage:
    """What all pods of these specs count together."""
    return total(times(args.get("replicas", 1), pod_usage(spec)) for spec, args in specs)


class Pattern(pulumi.ComponentResource):
    """What the components of all patterns have in common.

    Raises ValueError, before it registers anything, for arguments that don't fit.
    """

    kind: pulumi.Output[str]
    """`Deployment` or `Pod`."""

    name: pulumi.Output[str]
    """Name of that object, which its pods have as the label `app.kubernetes.io/instance`."""

    namespace: pulumi.Output[str]
    """Namespace of that object."""

    qos_class: pulumi.Output[str]
    """QoS class that its pods get: `Guaranteed`, `Burstable` or `BestEffort`."""

    requests: pulumi.Output[dict[str, str]]
    """What the scheduler keeps free for each pod: quantity by resource name.
    https://kubernetes.io/docs/concepts/resource-management/effective-pod-requests-limits/"""

    limits: pulumi.Output[dict[str, str]]
    """What each pod may take at most: quantity by resource name."""

    usage: pulumi.Output[dict[str, str]]
    """What all its pods count together, companions included: quantity by key of a ResourceQuota
    (`requests.cpu`, `limits.memory`, `pods`)."""

    commands: pulumi.Output[list[str]]
    """Commands for looking at it."""

    def _deploy(
        self,
        name: str,
        pattern: str,
        template: PodTemplate,
        args: WorkloadArgs,
        *,
        commands: Iterable[str],
        ignore_changes: Sequence[str] = (),
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Register the pod as args say, then the outputs.

        `commands` are for looking at it: `{workload}` stands for its kind and
        name, `{name}` and `{namespace}` for what they say. `ignore_changes` are fields of a
        Pod that something else edits.
        """
        workload = _choice("workload", args.get("workload", "deployment"), ["deployment", "pod"])
        replicas = args.get("replicas", 1)
        if workload == "pod" and replicas != 1:
            raise ValueError(f"replicas: found {replicas}, a pod allows 1")
        namespace = args.get("namespace", "default")
        spec = pod_spec(template, args)
        selector, labels = selector_of(name, pattern), labels_of(name, pattern)
        about: Object = {"labels": {**labels, **template.labels}}
        if template.annotations:
            about["annotations"] = dict(template.annotations)
        if replicas > 1:
            # On different nodes, if there are different nodes.
            spread = {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
            spec["topologySpreadConstraints"] = [spread]
        seconds = args.get("timeout_seconds", 300)
        options = pulumi.ResourceOptions(
            parent=self,
            depends_on=list(depends_on),
            custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s"),
        )
        if workload == "pod":
            from pulumi_kubernetes.core.v1 import Pod

            # Hardly a field of a running Pod can be changed, and its name is fixed.
            replaced = pulumi.ResourceOptions(
                replace_on_changes=["spec"],
                delete_before_replace=True,
                ignore_changes=list(ignore_changes),
            )
            manifest = {
                "metadata": {"name": name, "namespace": namespace, **about},
                "spec": spec,
            }
            options = pulumi.ResourceOptions.merge(options, replaced)
            resource = register(Pod, name, manifest, options)
        else:
            from pulumi_kubernetes.apps.v1 import Deployment

            manifest = {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels,
                    # Its pods end by themselves: nobody needs to wait for each in turn.
                    "annotations": {"pulumi.com/deletionPropagationPolicy": "background"},
                },
                "spec": {
                    "replicas": replicas,
                    "revisionHistoryLimit": 2,
                    # For those who wait with kubectl; Pulumi has the timeout above.
                    "progressDeadlineSeconds": seconds,
                    "selector": {"matchLabels": selector},
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                    },
                    "template": {"metadata": about, "spec": spec},
                },
            }
            resource = register(Deployment, name, manifest, options)
            if replicas > 1:
                from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

                # Whatever drains nodes takes one pod at a time.
                manifest = {
                    "metadata": {"name": name, "namespace": namespace, "labels": labels},
                    "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
                }
                register(PodDisruptionBudget, name, manifest, options)
        words = {"workload": f"{workload}/{name}", "name": name, "namespace": namespace}
        each = texts(pod_usage(spec))
        outputs = {
            "kind": workload.capitalize(),
            "name": resource.metadata["name"],
            "namespace": resource.metadata["namespace"],
            "qos_class": qos_class(spec),
            "requests": {name: each[f"requests.{name}"] for name in RESOURCE_NAMES},
            "limits": {name: each[f"limits.{name}"] for name in RESOURCE_NAMES},
            "usage": texts(usage_of(pod_specs(template, args))),
            "commands": [command.format_map(words) for command in commands],
        }
        # As a whole: `from_input` makes several outputs of each key and value of a mapping.
        known = pulumi.Output.from_input(None)
        for output, value in outputs.items():
            found = isinstance(value, pulumi.Output)
            setattr(self, output, value if found else known.apply(lambda _, it=value: it))
        self.register_outputs(outputs)


def merged(base: Resources, over: Resources) -> Resources:
    """Requests and limits, those of `over` where both have them."""
    return {
        "requests": {**base.get("requests", {}), **over.get("requests", {})},
        "limits": {**base.get("limits", {}), **over.get("limits", {})},
    }


def _choice(path: str, found: str, allowed: Sequence[str]) -> str:
    if found not in allowed:
        raise ValueError(f"{path}: found {found!r}, allowed is {any_of(allowed, found)}")
    return found
