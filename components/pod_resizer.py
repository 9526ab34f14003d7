"""Pod resizer: the least that a sidecar needs to change the CPU of one container of its own pod.

RBAC allows the subresource `resize` alone, which reaches the resources of containers and nothing
else of a pod. What it can't say, an admission policy does: in its own pod, only of that
container, only CPU, and within bounds, which so hold whatever becomes of the sidecar.
Needs Kubernetes 1.33, whose clusters resize pods in place by default.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from typing import NotRequired, TypedDict

import pulumi

from .manifest import Object
from .messages import check_keys
from .own_pod import grant, policy_of
from .quantity import millicores

MIN_CPU, MAX_CPU = "50m", "200m"
"""The bounds by default."""


class PodResizerArgs(TypedDict):
    """Arguments of PodResizer."""

    min_cpu: NotRequired[str]
    """The least CPU that the container may get, a quantity of at least `10m`. Default `50m`, or
    `max_cpu` if that is less."""

    max_cpu: NotRequired[str]
    """The most CPU that it may get. Default `200m`, or `min_cpu` if that is more."""

    namespace: NotRequired[str]
    """Namespace of the pods. Default `default`."""

    name: NotRequired[str]
    """Name of service account, role and binding; the cluster-scoped policy is
    named `<namespace>.<name>`. Default `pod-resizer`."""

    container: NotRequired[str]
    """The container whose CPU may be changed. Default `main-app`."""

    pod_name: NotRequired[str]
    """The pod's name, where it is known beforehand: the role is narrowed to it."""

    admission_policy: NotRequired[bool]
    """Create the policy. Default true. Without it the role alone holds, which lets the account
    change CPU and memory of all containers of the pods that it covers, without bounds: only for
    those who may not create cluster-scoped objects."""


def cpu_bounds(min_cpu: str | None, max_cpu: str | None) -> tuple[int, int]:
    """The bounds in millicores. Raises ValueError for what can't be bounds."""
    least, most = _millicores("min_cpu", min_cpu), _millicores("max_cpu", max_cpu)
    # One alone moves the other's default, if it must.
    if least is None:
        least = min(millicores(MIN_CPU), millicores(MAX_CPU) if most is None else most)
    if most is None:
        most = max(millicores(MAX_CPU), least)
    if least > most:
        raise ValueError(f"max_cpu: found {max_cpu!r}, allowed is at least min_cpu, {min_cpu}")
    return least, most


def _millicores(path: str, text: str | None) -> int | None:
    try:
        return None if text is None else millicores(text)
    except ValueError as error:
        raise ValueError(f"{path}: found {text!r}, {error}") from None


def policy_spec(namespace: str, account: str, container: str, min_cpu: int, max_cpu: int) -> Object:
    """The ValidatingAdmissionPolicy's spec, in CEL; the bounds are in millicores."""

    def only(pod: str) -> str:
        return f"{pod}.spec.containers.filter(item, item.name == '{container}')[0].resources"

    def within(part: str) -> str:
        cpu = f"quantity(variables.after.{part}['cpu'])"
        return (
            f"{cpu}.compareTo(quantity('{min_cpu}m')) >= 0"
            f" && {cpu}.compareTo(quantity('{max_cpu}m')) <= 0"
        )

    def kept(part: str) -> str:
        after, before = f"variables.after.{part}", f"variables.before.{part}"
        return (
            f"{after}.size() == {before}.size()"
            f" && {after}.all(key, key == 'cpu' || {after}[key] == {before}[key])"
        )

    validations = [
        {
            "expression": "request.?subResource.orValue('') == 'resize'",
            "message": f"{account} may change a pod only by its subresource resize",
        },
        {
            "expression": "object.spec.containers.size() == oldObject.spec.containers.size()"
            f" && object.spec.containers.all(item, item.name == '{container}'"
            " || oldObject.spec.containers.exists(old, old == item))"
            " && object.spec.?initContainers.orValue([])"
            " == oldObject.spec.?initContainers.orValue([])",
            "message": f"{account} may resize no container but {container}",
        },
        {
            "expression": f"{kept('requests')} && {kept('limits')}",
            "message": f"{account} may change no resource but cpu",
        },
        {
            "expression": f"{within('requests')} && {within('limits')}",
            "message": f"{account} may give {container} between {min_cpu}m and {max_cpu}m of cpu",
        },
    ]
    variables = {"after": only("object"), "before": only("oldObject")}
    return policy_of(namespace, account, "is-the-resizer", validations, variables)


class PodResizer(pulumi.ComponentResource):
    """A service account that can change one container's CPU in the pod that it runs in."""

    service_account: pulumi.Output[str]
    """Name of the service account."""

    def __init__(
        self, name: str, args: PodResizerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, PodResizerArgs)
        bounds = cpu_bounds(args.get("min_cpu"), args.get("max_cpu"))
        super().__init__("sidecar-powers:index:PodResizer", name, {}, opts)
        namespace = args.get("namespace", "default")
        account = args.get("name", "pod-resizer")
        rule: Object = {"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]}
        if "pod_name" in args:
            rule["resourceNames"] = [args["pod_name"]]
        policy = None
        if args.get("admission_policy", True):
            container = args.get("container", "main-app")
            policy = policy_spec(namespace, account, container, *bounds)
        self.service_account = grant(self, name, namespace, account, rule, policy)
        self.register_outputs({"service_account": self.service_account})
