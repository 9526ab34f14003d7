"""The programs in examples/ on the local cluster: the real engine, and the installed package."""

import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from kubernetes.client import ApiException

from components.plugin import COMPONENTS
from tests.cluster.faults import within
from tests.cluster.program import Program
from tests.cluster.project import Cluster, is_ready, restarts
from tests.cluster.provider_stack import throw_away
from tools import engine, paths

IMAGES = engine.stack_config(engine.LOCAL)["sidecar-powers:defaults"]["images"]


@contextmanager
def deployed(example: str, folder: Path, installed: Path, **config: Any) -> Generator[Program]:
    """A copy of an example, deployed into a namespace named as its stack, in the end removed."""
    shutil.copytree(paths.ROOT / "examples" / example, folder, dirs_exist_ok=True)
    program = Program(folder)
    program.env["PYTHONPATH"] = str(installed)
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
    settings = {
        "kubernetes:context": paths.CONTEXT,
        "kubernetes:kubeconfig": str(paths.KUBECONFIG),
        **{f"{project}:{key}": value for key, value in config.items()},
        f"{project}:namespace": program.stack,
    }
    stack_file(program).write_text(yaml.safe_dump({"config": settings}))
    program.initialise()
    try:
        program.up()
        yield program
    finally:
        program.destroy()


def test_the_teams_service_leads_to_the_patterns_page(
    local_cluster: Cluster, installed: Path, tmp_path: Path
) -> None:
    with deployed("shared-filesystem", tmp_path, installed, images=IMAGES) as program:
        (pod,) = local_cluster.pods(program.stack)
        assert is_ready(pod)
        assert pod.metadata.labels["app.kubernetes.io/instance"] == "page"

        def page() -> str:
            try:
                return local_cluster.core.connect_get_namespaced_service_proxy(
                    "page:http", program.stack
                )
            except ApiException:
                return ""

        assert "UTC" in within(30, page)
        program.refresh()
        program.up("--expect-no-changes")


def test_the_teams_worker_changes_the_label_of_its_own_pod(
    local_cluster: Cluster, installed: Path, tmp_path: Path
) -> None:
    with deployed("pod-labeler", tmp_path, installed, image=IMAGES["curl"]) as program:

        def phase() -> str:
            (pod,) = local_cluster.pods(program.stack)
            assert is_ready(pod)
            assert restarts(pod) == 0
            return pod.metadata.labels["phase"]

        within(30, lambda: phase() == "working")
        within(30, lambda: phase() == "resting")
        program.refresh()
        program.up("--expect-no-changes")


def test_stacks_share_a_namespace_and_are_updated_side_by_side(
    local_cluster: Cluster, installed: Path, tmp_path: Path
) -> None:
    with deployed("many-stacks", tmp_path, installed, images=IMAGES) as shared:
        namespace, config = shared.stack, yaml.safe_load(stack_file(shared).read_text())["config"]
        parts = [f"{namespace}-{number}" for number in (1, 2)]
        for part in parts:
            shared.stack = part
            own = {"shared": f"organization/many-pages/{namespace}", "pages": [f"page-{part}"]}
            settings = {**config, **{f"many-pages:{key}": value for key, value in own.items()}}
            stack_file(shared).write_text(yaml.safe_dump({"config": settings}))
            shared.initialise()

        def each(command: str) -> list[int]:
            """How the command ended for each part, all at once."""
            words = ["pulumi", command, "--yes", "--skip-preview", "--non-interactive", "--stack"]
            where: dict[str, Any] = {"cwd": shared.folder, "env": shared.env}
            running = [subprocess.Popen([*words, part], **where) for part in parts]
            return [process.wait() for process in running]

        try:
            assert each("up") == [0, 0]
            pods = local_cluster.pods(namespace)
            found = {pod.metadata.labels["app.kubernetes.io/instance"] for pod in pods}
            assert found == {f"page-{part}" for part in parts}
            assert all(map(is_ready, pods))
        finally:
            assert each("destroy") == [0, 0]
            shared.stack = namespace


def stack_file(program: Program) -> Path:
    return program.folder / f"Pulumi.{program.stack}.yaml"


def test_the_engine_takes_the_schema_of_all_components(installed: Path) -> None:
    environment = {**os.environ, **engine.environment(engine.LOCAL), "PYTHONPATH": str(installed)}
    plugin = installed / "bin" / "pulumi-resource-sidecar-powers"
    command = ["pulumi", "package", "get-schema", plugin]
    schema = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    assert len(json.loads(schema)["resources"]) == len(COMPONENTS)


@pytest.mark.usefixtures("local_cluster")
def test_the_package_serves_a_component_to_programs_in_other_languages(
    installed: Path, tmp_path: Path
) -> None:
    """As the SDK does that `pulumi package add` makes."""
    path = os.pathsep.join([str(installed / "bin"), engine.environment(engine.LOCAL)["PATH"]])
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    with throw_away(tmp_path, labels, PATH=path, PYTHONPATH=str(installed)) as stack:

        def program() -> None:
            arguments = {"namespace": stack.name, "images": IMAGES, "intervalSeconds": 2}
            wanted = dict.fromkeys(["name", "qosClass"])
            served: Any = pulumi.ComponentResource(
                "sidecar-powers:index:Signal", "served", {**arguments, **wanted}, remote=True
            )
            pulumi.export("found", [served.name, served.qosClass])

        assert stack.up(program) == {"create": 2}
        assert stack.outputs() == {"found": ["served", "Burstable"]}
        assert stack.up(program) == {"same": 2}
        stack.destroy()
