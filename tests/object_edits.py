"""Edits of single objects, and what the engine does with each object then.

The verdicts are those of `make diff` and of the engine with the stand-in for the published
plugin. Where the plugin itself does something else, the edit says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests import objects
from tests.objects import Object, edited


@dataclass(frozen=True)
class ObjectEdit:
    """One value of an object changes."""

    name: str
    item: Object
    path: str
    """Where: keys and indexes."""
    old: Any
    """The value before; None if there is none."""
    new: Any
    verdict: str
    published: str = ""
    """What the published plugin does, if that is something else: `fail` where its preview does,
    because the API server refuses the update."""
    beside: Sequence[Object] = ()
    """What it needs on the cluster."""

    @property
    def before(self) -> Object:
        return edited(self.item, self.path, self.old)

    @property
    def after(self) -> Object:
        return edited(self.item, self.path, self.new)

    def __str__(self) -> str:
        return self.name


def _edits(whose: str, item: Object, *rows: tuple[Any, ...]) -> list[ObjectEdit]:
    """Edits of one object: what, where, old, new, verdict, and what else there is to say."""
    return [ObjectEdit(f"{whose}'s {row[0]}", item, *row[1:]) for row in rows]


_TIER = "spec.selector.matchLabels.tier"
_APP = "spec.containers.0"
_CPU = "resources.limits.cpu"
_STORAGE = "spec.resources.requests.storage"
_SIZE = "spec.volumes.0.emptyDir.sizeLimit"
_LIMIT = "spec.limits.0.max.cpu"
_SCOPES = {"matchExpressions": [{"scopeName": "Terminating", "operator": "Exists"}]}
_SOURCE = {"kind": "PersistentVolumeClaim", "name": "other"}
_TERM = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
_NODES = {"required": {"nodeSelectorTerms": [_TERM]}}
_PROBE = {"tcpSocket": {"port": 80}}
_TAINT = {"key": "a", "operator": "Exists"}
_USER = {"kind": "User", "name": "a"}

# Only a claim that is bound can grow.
_BOUND = edited(objects.CLAIM, "spec.storageClassName", "it")
_GROWING = [objects.VOLUME, edited(objects.CLASS, "allowVolumeExpansion", True)]
_COUNTED = edited(objects.JOB, "spec.completions", 2)

OBJECT_EDITS = [
    *_edits(
        "config map",
        objects.CONFIG_MAP,
        ("data", "data.key", "old", "new", "replace"),
        ("new key", "data.other", None, "new", "replace"),
        ("label", "metadata.labels.app", "it", "new", "update"),
    ),
    *_edits(
        "secret",
        objects.SECRET,
        ("data", "stringData.key", "old", "new", "replace"),
        ("type", "type", "Opaque", "here/new", "replace"),
        ("annotation", "metadata.annotations.note", None, "new", "update"),
    ),
    *_edits(
        "pod",
        objects.POD,
        ("image", f"{_APP}.image", objects.IMAGE, "busybox:1", "replace"),
        ("environment", f"{_APP}.env", None, [{"name": "A"}], "replace"),
        ("limit", f"{_APP}.{_CPU}", "100m", "200m", "replace"),
        ("limit in other words", f"{_APP}.{_CPU}", "100m", "0.1", "none"),
        ("volume", _SIZE, "1Mi", "2Mi", "replace"),
        ("volume in other words", _SIZE, "1Mi", "1024Ki", "none"),
        ("startup probe", f"{_APP}.startupProbe", None, _PROBE, "replace", "fail"),
        ("label", "metadata.labels.app", "it", "new", "update"),
        ("deadline", "spec.activeDeadlineSeconds", None, 60, "update"),
        ("tolerations", "spec.tolerations", None, [_TAINT], "update"),
        ("toleration less", "spec.tolerations", [_TAINT], None, "replace", "update"),
    ),
    *_edits(
        "deployment",
        objects.DEPLOYMENT,
        ("replicas", "spec.replicas", 1, 2, "update"),
        ("selector", _TIER, None, "one", "replace"),
        ("image", f"spec.template.{_APP}.image", objects.IMAGE, "busybox:1", "update"),
        ("limit", f"spec.template.{_APP}.{_CPU}", "100m", "0.2", "update"),
        ("limit in other words", f"spec.template.{_APP}.{_CPU}", "100m", "0.1", "none"),
        ("name", "metadata.name", "it", "new", "replace"),
        ("namespace", "metadata.namespace", "here", "there", "replace"),
    ),
    *_edits(
        "stateful set",
        objects.STATEFUL_SET,
        ("service", "spec.serviceName", "it", "new", "replace"),
        ("replicas", "spec.replicas", None, 2, "update"),
        ("claims", "spec.volumeClaimTemplates", None, [objects.CLAIM], "replace"),
        ("history", "spec.revisionHistoryLimit", None, 2, "replace"),
    ),
    *_edits("daemon set", objects.DAEMON_SET, ("selector", _TIER, None, "one", "replace")),
    *_edits(
        "job",
        objects.JOB,
        ("template", "spec.template.spec.restartPolicy", "Never", "OnFailure", "replace"),
        ("completions", "spec.completions", None, 2, "replace"),
        ("parallelism", "spec.parallelism", None, 2, "replace"),
        ("backoff limit", "spec.backoffLimit", 1, 2, "update"),
    ),
    *_edits(
        "job",
        _COUNTED,
        ("mode", "spec.completionMode", None, "Indexed", "replace", "fail"),
        ("default mode", "spec.completionMode", None, "NonIndexed", "update"),
    ),
    *_edits(
        "service",
        objects.SERVICE,
        ("address", "spec.clusterIP", None, "None", "replace"),
        ("port", "spec.ports.0.port", 80, 81, "update", "fail"),
        ("type", "spec.type", None, "NodePort", "update"),
    ),
    *_edits("claim", _BOUND, ("size", _STORAGE, "1Gi", "2Gi", "update", "", _GROWING)),
    *_edits(
        "claim",
        objects.CLAIM,
        ("size in other words", _STORAGE, "1Gi", "1024Mi", "none"),
        ("class", "spec.storageClassName", None, "fast", "replace"),
        ("modes", "spec.accessModes.0", "ReadWriteOnce", "ReadOnlyMany", "replace"),
        ("source", "spec.dataSource", None, _SOURCE, "replace", "fail"),
        ("volume mode", "spec.volumeMode", None, "Block", "replace", "fail"),
        ("default volume mode", "spec.volumeMode", None, "Filesystem", "update"),
    ),
    *_edits(
        "volume",
        objects.VOLUME,
        ("source", "spec.hostPath.path", "/old", "/new", "replace"),
        ("reclaim policy", "spec.persistentVolumeReclaimPolicy", None, "Delete", "update"),
        ("nodes", "spec.nodeAffinity", None, _NODES, "update"),
        ("default mode", "spec.volumeMode", None, "Filesystem", "update"),
    ),
    *_edits(
        "class",
        objects.CLASS,
        ("provisioner", "provisioner", "old", "new", "replace"),
        ("parameters", "parameters", None, {"kind": "fast"}, "replace"),
        ("reclaim policy", "reclaimPolicy", None, "Retain", "replace", "fail"),
        ("default reclaim policy", "reclaimPolicy", None, "Delete", "update"),
        ("default binding mode", "volumeBindingMode", None, "Immediate", "update"),
        ("expansion", "allowVolumeExpansion", False, True, "update"),
    ),
    *_edits("role", objects.ROLE, ("verbs", "rules.0.verbs.0", "get", "list", "update")),
    *_edits(
        "binding",
        objects.BINDING,
        ("role", "roleRef.name", "it", "new", "replace"),
        ("subjects", "subjects", [], [_USER], "update"),
    ),
    *_edits(
        "quota",
        objects.QUOTA,
        ("amount", "spec.hard.pods", "9", "8", "update"),
        ("amount in other words", "spec.hard.memory", "9Gi", "9216Mi", "none"),
        ("scopes", "spec.scopes", None, ["Terminating"], "replace"),
        ("scope selector", "spec.scopeSelector", None, _SCOPES, "update"),
    ),
    *_edits(
        "limit range",
        objects.LIMITS,
        ("limit", _LIMIT, "1", "2", "update"),
        ("limit in other words", _LIMIT, "1", "1000m", "none"),
    ),
    *_edits(
        "namespace",
        objects.NAMESPACE,
        ("label", "metadata.labels.team", None, "new", "update"),
        ("name", "metadata.name", "it", "new", "replace"),
    ),
    *_edits(
        "account", objects.ACCOUNT, ("token", "automountServiceAccountToken", False, True, "update")
    ),
    *_edits(
        "budget",
        objects.BUDGET,
        ("number", "spec.maxUnavailable", 1, 2, "update"),
        ("pods", "spec.selector", None, {"matchLabels": {"a": "b"}}, "update"),
    ),
    *_edits(
        "network policy",
        objects.NETWORK,
        ("pods", "spec.podSelector.matchLabels.a", None, "b", "update"),
        ("empty list", "spec.ingress", None, [], "none"),
    ),
    *_edits(
        "admission policy",
        objects.POLICY,
        ("rule", "spec.validations.0.expression", "true", "false", "update"),
    ),
    *_edits(
        "admission binding",
        objects.POLICY_BINDING,
        ("action", "spec.validationActions.0", "Deny", "Audit", "update"),
        ("policy", "spec.policyName", "it", "new", "update"),
    ),
]
