"""Which stacks the workflows look at, and what becomes of their credentials."""

from pathlib import Path

import pytest

from tools import engine
from tools.diff.model import Diff, StackDiff, Status
from tools.errors import CommandError
from tools.workflows import ENVIRONMENTS, kubeconfig
from tools.workflows.touched import touched


def diff(**statuses: Status) -> Diff:
    return Diff("main", "", [StackDiff(stack, status) for stack, status in statuses.items()])


def test_every_environment_has_a_stack_for_a_cluster_of_its_own() -> None:
    namespaces = [
        engine.stack_config(stack)["sidecar-powers:namespace"]
        for stack in (*ENVIRONMENTS, engine.LOCAL, "article")
    ]
    assert len(set(namespaces)) == len(ENVIRONMENTS) + 2


def test_what_is_touched_is_told_in_the_order_of_the_environments() -> None:
    found = diff(prod=Status.INCOMPARABLE, dev=Status.CHANGED, staging=Status.ADDED)
    assert touched(found) == ["dev", "staging", "prod"]


def test_what_no_preview_can_show_is_not_touched() -> None:
    found = diff(dev=Status.UNCHANGED, staging=Status.REMOVED, prod=Status.FAILED)
    assert touched(found) == []


def test_stacks_that_no_workflow_deploys_are_not_touched() -> None:
    assert touched(diff(local=Status.CHANGED, mine=Status.ADDED)) == []


def test_a_kubeconfig_is_for_its_owners_eyes(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "kubeconfig"
    kubeconfig.write({"KUBECONFIG_CONTENT": "a: b\n\n", "KUBECONFIG": str(file)})
    assert file.read_text() == "a: b\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_kubeconfig_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("somebody's")
    with pytest.raises(CommandError, match="exists, and stays as it is"):
        kubeconfig.write({"KUBECONFIG_CONTENT": "a: b", "KUBECONFIG": str(file)})
    assert file.read_text() == "somebody's"


@pytest.mark.parametrize("missing", ["KUBECONFIG_CONTENT", "KUBECONFIG"])
def test_a_secret_that_is_not_set_is_named(tmp_path: Path, missing: str) -> None:
    given = {"KUBECONFIG_CONTENT": "a: b", "KUBECONFIG": str(tmp_path / "kubeconfig")}
    with pytest.raises(CommandError, match=rf"^{missing}: found nothing, allowed is"):
        kubeconfig.write({**given, missing: " " if "CONTENT" in missing else ""})
    assert list(tmp_path.iterdir()) == []
