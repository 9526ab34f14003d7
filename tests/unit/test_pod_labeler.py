from typing import Any

from components.pod_labeler import PodLabeler
from tests.unit.recorder import Registered, registered


def found(args: Any) -> Registered:
    return registered(lambda: PodLabeler("labeler", args))


def test_the_role_lets_it_get_and_patch_pods_and_nothing_else() -> None:
    rules = found({}).one("Role")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}]


def test_a_known_pod_narrows_the_role() -> None:
    assert found({"pod_name": "mine"}).one("Role")["rules"][0]["resourceNames"] == ["mine"]


def test_the_account_mounts_no_token_by_itself() -> None:
    assert found({}).one("ServiceAccount")["automountServiceAccountToken"] is False


def test_cluster_scoped_names_carry_the_namespace() -> None:
    objects = found({"namespace": "here"})
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert objects.one(kind)["metadata"] == {"name": "here.pod-labeler"}


def test_the_policy_denies_and_fails_closed_for_this_account_alone() -> None:
    objects = found({"namespace": "here", "name": "it"})
    policy = objects.one("ValidatingAdmissionPolicy")["spec"]
    binding = objects.one("ValidatingAdmissionPolicyBinding")["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert policy["matchConditions"][0]["expression"] == (
        "request.userInfo.username == 'system:serviceaccount:here:it'"
    )
    assert binding == {"policyName": "here.it", "validationActions": ["Deny"]}


def test_no_two_namespaces_share_a_policy() -> None:
    names = {
        found({"namespace": namespace, "name": name}).one("ValidatingAdmissionPolicy")["metadata"][
            "name"
        ]
        for namespace, name in [("a", "b-pod-labeler"), ("a-b", "pod-labeler")]
    }
    assert len(names) == 2


def test_every_part_of_a_pod_that_a_patch_can_reach_is_guarded() -> None:
    validations = found({}).one("ValidatingAdmissionPolicy")["spec"]["validations"]
    text = " ".join(item["expression"] for item in validations)
    for part in ("metadata.name", "labels", "annotations", "finalizers", "ownerReferences", "spec"):
        assert part in text
    assert all(item["message"] for item in validations)


def test_all_objects_share_name_and_namespace() -> None:
    objects = found({"namespace": "here", "name": "it"})
    binding = objects.one("RoleBinding")
    assert binding["roleRef"]["name"] == "it"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "it", "namespace": "here"}]
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        assert objects.one(kind)["metadata"] == {"name": "it", "namespace": "here"}
