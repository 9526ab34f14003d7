"""The program, run as the engine runs it, for every stack file."""

import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config

from stacks.settings import decoded, encoded, read
from tests.unit.patterns import PATTERNS
from tests.unit.recorder import Registered, containers, pod_of, registered

ROOT = Path(__file__).parents[2]
STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "stacks").glob("Pulumi.*.yaml"))


def config_of(stack: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())["config"]


def run(config: dict[str, Any]) -> None:
    """Run the program with a configuration, as the engine hands it over."""
    set_all_config(encoded(config))
    runpy.run_path(str(ROOT), run_name="__main__")


def deployed(config: dict[str, Any]) -> Registered:
    return registered(lambda: run(config))


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_deploys_all_its_demos_into_its_namespace(stack: str) -> None:
    config = config_of(stack)
    objects = deployed(config)
    namespace = config["sidecar-powers:namespace"]
    assert objects.one("Namespace")["metadata"]["name"] == namespace
    workloads = {item["metadata"]["name"] for item in objects.of("Deployment", "Pod")}
    demos = read(decoded(encoded(config))).demos.values()
    assert [demo.name for demo in demos] == [
        f"{key}-demo" for key in config["sidecar-powers:demos"]
    ]
    assert workloads == {name for demo in demos for name in demo.workloads}
    for item in objects:
        if item["kind"] not in ("Namespace",) and not item["kind"].startswith("Validating"):
            assert item["metadata"]["namespace"] == namespace


@pytest.mark.parametrize("stack", STACKS)
def test_the_namespace_comes_before_what_is_in_it(stack: str) -> None:
    assert deployed(config_of(stack))[0]["kind"] == "Namespace"


@pytest.mark.parametrize("stack", STACKS)
def test_only_prods_namespace_is_protected(stack: str) -> None:
    requests = deployed(config_of(stack)).requests
    protected = [name for name in requests if requests[name].protect]
    assert protected == (["Namespace/sidecar-powers-prod"] if stack == "prod" else [])


def test_the_local_stack_has_every_pattern_and_only_local_images() -> None:
    objects = deployed(config_of("local"))
    workloads = objects.of("Deployment")
    named = {item["metadata"]["labels"]["app.kubernetes.io/name"] for item in workloads}
    assert named >= set(PATTERNS)
    for item in workloads:
        for container in containers(pod_of(item)).values():
            assert container["image"].startswith("localhost/sidecar-powers/")


def test_the_local_stack_names_the_local_cluster() -> None:
    config = config_of("local")
    assert config["kubernetes:context"] == "sidecar-powers-local"
    assert config["kubernetes:kubeconfig"] == ".local/kubeconfig"


def test_the_article_stack_has_bare_pods_and_classic_sidecars() -> None:
    objects = deployed(config_of("article"))
    assert objects.of("Deployment") == []
    for pod in objects.of("Pod"):
        init = [item["name"] for item in pod["spec"].get("initContainers", [])]
        assert init in ([], ["init-config"])


def test_a_wrong_stack_file_is_refused_before_anything_is_registered() -> None:
    config = config_of("local")
    config["sidecar-powers:demos"] = {"signal": {"intervalSeconds": 0}}

    def program() -> None:
        with pytest.raises(pulumi.RunError) as error:
            run(config)
        assert str(error.value) == (
            "stacks/Pulumi.unit.yaml has problems:\n"
            "demos.signal.intervalSeconds: found 0, allowed is at least 1"
        )

    assert registered(program) == []
