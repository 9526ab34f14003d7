"""The programs in examples/, with the installed package and nothing else of the project."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pulumi.runtime import set_all_config

from stacks.settings import encoded
from tests.unit.hardening import assert_hardened
from tests.unit.recorder import Registered, containers, pod_of, registered
from tools.paths import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def alone(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the checkout away from what can be imported, and put the package there instead."""
    others = [path for path in sys.path if Path(path).resolve() != ROOT]
    monkeypatch.setattr(sys, "path", [str(installed), *others])
    own = [file.parent.name for file in ROOT.glob("*/__init__.py")]
    for name in [name for name in sys.modules if name.split(".")[0] in own]:
        monkeypatch.delitem(sys.modules, name)


def run(example: str, **settings: object) -> Registered:
    """Run an example as a new stack has it: with the defaults that its project file gives, or with
    these settings."""
    project = yaml.safe_load((EXAMPLES / example / "Pulumi.yaml").read_text())
    defaults = {key: item["default"] for key, item in project["config"].items()}
    config = {f"{project['name']}:{key}": item for key, item in (defaults | settings).items()}

    def program() -> None:
        set_all_config(encoded(config))
        runpy.run_path(str(EXAMPLES / example), run_name="__main__")

    return registered(program, project["name"])


def in_component(objects: Registered, component: str) -> set[str]:
    """The kinds of what belongs to a component, given by type and name."""
    return {
        item["kind"]
        for item, name in zip(objects, objects.names, strict=True)
        if objects.requests[name].parent.endswith(f"sidecar-powers:index:{component}")
    }


def sources(objects: Registered, name: str, field: str) -> set[str]:
    """Kind and name of those whose outputs a field of an object is made of."""
    urns = objects.requests[name].propertyDependencies[field].urns
    return {urn.rpartition("/v1:")[2].replace("::", "/") for urn in urns}


def test_a_pattern_has_its_pod_and_the_program_all_else() -> None:
    objects = run("shared-filesystem")
    assert sorted(objects.names) == ["Deployment/page", "Namespace/team-page", "Service/page"]
    assert in_component(objects, "SharedFilesystem::page") == {"Deployment"}


def test_the_service_finds_the_pods_by_the_components_outputs() -> None:
    objects = run("shared-filesystem")
    service, deployment = objects.one("Service"), objects.one("Deployment")
    for field in ("metadata", "spec"):
        assert sources(objects, "Service/page", field) == {"Deployment/page"}
    assert service["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    pod = pod_of(deployment)
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    names = [port["name"] for port in containers(pod)["main-app"]["ports"]]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == names


def test_the_bundle_has_all_that_is_about_rights_and_the_program_all_else() -> None:
    objects = run("pod-labeler")
    kinds = {item["kind"] for item in objects}
    assert in_component(objects, "PodLabeler::worker") == kinds - {"Namespace", "Deployment"}
    assert sources(objects, "Deployment/worker", "spec") == {"ServiceAccount/worker"}
    assert pod_of(objects.one("Deployment"))["spec"]["serviceAccountName"] == "worker"


def test_the_label_that_the_worker_changes_is_the_one_it_may_and_selects_nothing() -> None:
    objects = run("pod-labeler")
    deployment = objects.one("Deployment")
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": "worker"}
    assert pod_of(deployment)["metadata"]["labels"] == {"app": "worker", "phase": "starting"}
    rules = objects.one("ValidatingAdmissionPolicy")["spec"]["validations"]
    assert "worker may change no label but phase" in [rule["message"] for rule in rules]


def test_a_shared_stack_has_the_namespace_and_no_page() -> None:
    objects = run("many-stacks", pages=["page-1"])
    assert objects.one("Namespace")["metadata"]["name"] == "many-pages"
    assert objects.of("Deployment") == []


def test_the_pages_of_another_stack_are_in_the_namespace_of_the_shared_one() -> None:
    objects = run("many-stacks", shared="organization/many-pages/shared", pages=["one", "two"])
    assert sorted(objects.names) == ["Deployment/one", "Deployment/two"]
    for deployment in objects:
        assert deployment["metadata"]["namespace"] == "of-shared"
        assert_hardened(pod_of(deployment))


@pytest.mark.parametrize("example", ["pod-labeler", "shared-filesystem"])
def test_an_examples_pod_is_hardened_and_its_namespace_asks_for_that(example: str) -> None:
    objects = run(example)
    assert_hardened(pod_of(objects.one("Deployment")), labeler="worker")
    labels = objects.one("Namespace")["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*/*.sh")), ids=lambda path: path.stem)
def test_shellcheck_has_nothing_to_say_of_a_script(script: Path) -> None:
    command = [Path(sys.executable).with_name("shellcheck"), "--shell=sh", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
