"""One object of every kind that the project deploys, with values that the API server rewrites."""

from typing import Any

from pulumi import CustomTimeouts, ResourceOptions
from pulumi_kubernetes.admissionregistration.v1 import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    LimitRange,
    Namespace,
    Pod,
    ResourceQuota,
    Secret,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from tests.cluster.provider_stack import container

_RESOURCES = {
    "requests": {"cpu": "0.01", "memory": "0.015625Gi"},
    "limits": {"cpu": "0.1", "memory": "65536Ki"},
}


def every_kind(prefix: str) -> None:
    """Declare them in a namespace of their own."""
    space = Namespace("namespace", metadata={"name": f"{prefix}-all", "labels": {"test": prefix}})
    policies = _about_the_namespace(prefix, space)
    options = ResourceOptions(
        depends_on=[*policies], custom_timeouts=CustomTimeouts(create="60s", delete="60s")
    )
    _workloads(space, options)


def _spec(**fields: Any) -> Any:
    """Fields by their names in Kubernetes manifests, which the SDK's types do not know."""
    return fields


def _about_the_namespace(prefix: str, space: Namespace) -> list[Any]:
    def named(name: str) -> Any:
        return {"name": name, "namespace": space.metadata.name}

    role_ref: Any = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"}
    subject: Any = {"kind": "ServiceAccount", "name": "account", "namespace": space.metadata.name}
    return [
        NetworkPolicy(
            "network",
            metadata=named("network"),
            spec=_spec(
                podSelector={},
                policyTypes=["Ingress", "Egress"],
                ingress=[],
                egress=[{"ports": [{"port": 443, "protocol": "TCP"}], "to": []}],
            ),
        ),
        ResourceQuota(
            "quota",
            metadata=named("quota"),
            spec=_spec(hard={"requests.cpu": "2000m", "limits.memory": "2048Mi", "pods": 10}),
        ),
        LimitRange(
            "limits",
            metadata=named("limits"),
            spec=_spec(limits=[{"type": "Container", "default": {"cpu": "0.5"}, **_MOST}]),
        ),
        ServiceAccount("account", metadata=named("account"), automount_service_account_token=False),
        Role(
            "role",
            metadata=named("role"),
            rules=[_spec(apiGroups=[""], resources=["pods"], verbs=["get", "patch"])],
        ),
        RoleBinding("binding", metadata=named("binding"), role_ref=role_ref, subjects=[subject]),
        ValidatingAdmissionPolicy(
            "policy",
            metadata={"name": prefix},
            spec=_spec(
                matchConstraints={
                    "namespaceSelector": {"matchLabels": {"test": prefix}},
                    "resourceRules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["UPDATE"],
                            "resources": ["pods"],
                        }
                    ],
                },
                matchConditions=[{"name": "some", "expression": "request.userInfo.uid == 'x'"}],
                validations=[{"expression": "object.metadata.name == 'x'", "message": "no"}],
            ),
        ),
        ValidatingAdmissionPolicyBinding(
            "policy-binding",
            metadata={"name": prefix},
            spec=_spec(policyName=prefix, validationActions=["Deny"]),
        ),
    ]


_MOST = {"defaultRequest": {"memory": "16777216"}, "max": {"cpu": "1000m"}}


def _workloads(space: Namespace, options: ResourceOptions) -> None:
    def named(name: str, **more: Any) -> Any:
        return {"name": name, "namespace": space.metadata.name, **more}

    template = _pod_spec()
    labels = {"app.kubernetes.io/name": "web"}
    ConfigMap("settings", metadata=named("settings"), data={"key": "value", "empty": ""})
    Secret("secret", metadata=named("secret"), string_data={"key": "value"}, opts=options)
    Deployment(
        "web",
        metadata=named("web", annotations={}),
        spec=_spec(
            replicas=1,
            selector={"matchLabels": labels},
            strategy={"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}},
            template={"metadata": {"labels": labels}, "spec": template},
        ),
        opts=options,
    )
    Pod("pod", metadata=named("pod", labels={"version": "1"}), spec=template, opts=options)
    job: Any = {**template, "containers": [container(command="true", resources=_RESOURCES)]}
    job |= {"restartPolicy": "Never", "initContainers": []}
    Job("job", metadata=named("job"), spec={"template": {"spec": job}}, opts=options)
    Service(
        "service",
        metadata=named("service"),
        spec=_spec(selector=labels, ports=[{"port": 80, "targetPort": "http"}]),
        opts=options,
    )
    PodDisruptionBudget(
        "budget",
        metadata=named("budget"),
        spec=_spec(minAvailable="50%", selector={"matchLabels": labels}),
        opts=options,
    )


def _pod_spec() -> Any:
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    mounts = [{"name": "work", "mountPath": "/work"}, {"name": "info", "mountPath": "/info"}]
    fields = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    limit = {"containerName": "app", "resource": "limits.cpu", "divisor": "1000m"}
    return {
        "hostNetwork": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "initContainers": [
            container(
                "side",
                restartPolicy="Always",
                startupProbe=probe,
                volumeMounts=mounts,
                resources=_RESOURCES,
            )
        ],
        "containers": [
            container(
                readinessProbe=probe,
                args=[],
                env=[
                    {"name": "EMPTY", "value": ""},
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": limit}},
                    {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                envFrom=[{"configMapRef": {"name": "settings"}}],
                ports=[{"name": "http", "containerPort": 8080}],
                volumeMounts=mounts,
                resources=_RESOURCES,
                securityContext={"capabilities": {"drop": ["ALL"], "add": []}},
            )
        ],
        "volumes": [
            {"name": "work", "emptyDir": {"sizeLimit": "1024Ki"}},
            {"name": "info", "downwardAPI": {"items": fields}},
        ],
    }
