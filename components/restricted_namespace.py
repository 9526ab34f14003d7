"""Restricted namespace: a place where only hardened, quiet pods run.

Pod Security `restricted` is enforced, a container that says nothing of its
resources gets small ones, and no traffic goes in or out but to the ports of the
API server, from pods that carry the label for it.
https://kubernetes.io/docs/concepts/security/pod-security-admission/
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from typing import NotRequired, TypedDict

import pulumi

from .manifest import Object, register
from .messages import check_keys
from .parts import API_ACCESS
from .workload import RESOURCES


class ApiServer(TypedDict):
    """Where pods reach the API server.

    Most networks judge by the address behind the service, which `kubectl get
    endpointslices kubernetes` shows, some by the service's.
    """

    cidr: NotRequired[str]
    """Its addresses, e.g. `192.0.2.10/32`. Default: any."""

    port: NotRequired[int]
    """Its TCP port. Default: 443 and 6443."""


class RestrictedNamespaceArgs(TypedDict):
    """Arguments of RestrictedNamespace."""

    name: NotRequired[str]
    """Name of the Namespace. Default: the component's."""

    protect: NotRequired[bool]
    """Whether Pulumi refuses to delete the Namespace, and so all in it. Default false.
    https://www.pulumi.com/docs/iac/concepts/resources/options/protect/"""

    api_server: NotRequired[ApiServer]
    """Where the pods with API access may go."""

    quota: NotRequired[dict[str, str]]
    """Quantity by what all pods together may take, as a ResourceQuota spells it:
    `requests.cpu`, `limits.memory`, `pods`. Default: no quota.
    https://kubernetes.io/docs/concepts/policy/resource-quotas/"""


class RestrictedNamespace(pulumi.ComponentResource):
    """A namespace with Pod Security `restricted` and a default-deny network policy."""

    name: pulumi.Output[str]
    """Name of the Namespace."""

    def __init__(
        self, name: str, args: RestrictedNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, RestrictedNamespaceArgs)
        super().__init__("sidecar-powers:index:RestrictedNamespace", name, {}, opts)
        from pulumi_kubernetes.core.v1 import LimitRange, Namespace, ResourceQuota
        from pulumi_kubernetes.networking.v1 import NetworkPolicy

        api_server = args.get("api_server", {})
        ports = [api_server["port"]] if "port" in api_server else [443, 6443]
        egress: Object = {"ports": [{"protocol": "TCP", "port": port} for port in ports]}
        if "cidr" in api_server:
            egress["to"] = [{"ipBlock": {"cidr": api_server["cidr"]}}]

        modes = ("enforce", "audit", "warn")
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}
        namespace = register(
            Namespace,
            name,
            {"metadata": {"name": args.get("name", name), "labels": labels}},
            pulumi.ResourceOptions(parent=self, protect=args.get("protect", False)),
        )
        self.name = namespace.metadata["name"]
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        default_deny: Object = {
            "metadata": {"name": "default-deny", "namespace": self.name},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        }
        register(NetworkPolicy, f"{name}-default-deny", default_deny, inside)
        api_access = {
            "metadata": {"name": "api-access", "namespace": self.name},
            "spec": {
                "podSelector": {"matchLabels": API_ACCESS},
                "policyTypes": ["Egress"],
                "egress": [egress],
            },
        }
        register(NetworkPolicy, f"{name}-api-access", api_access, inside)
        # The components set all of it; this is for what others start here.
        defaults = {
            "defaultRequest": RESOURCES.get("requests", {}),
            "default": RESOURCES.get("limits", {}),
        }
        limit_range: Object = {
            "metadata": {"name": "defaults", "namespace": self.name},
            "spec": {"limits": [{"type": "Container", **defaults}]},
        }
        register(LimitRange, f"{name}-defaults", limit_range, inside)
        hard = args.get("quota", {})
        if hard:
            quota: Object = {
                "metadata": {"name": "quota", "namespace": self.name},
                "spec": {"hard": hard},
            }
            register(ResourceQuota, f"{name}-quota", quota, inside)
        self.register_outputs({"name": self.name})
