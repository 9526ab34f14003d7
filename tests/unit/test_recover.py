"""What a killed `pulumi` leaves behind is settled by what the cluster has."""

import json
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.dynamic.exceptions import NotFoundError

from tools import recover
from tools.errors import CommandError
from tools.target import Target

Object = dict[str, Any]

KUBECONFIG = """
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: one, user: {}}]
"""


class Killed:
    """A stack whose update was killed, and a cluster that has objects of some managers."""

    def __init__(self, folder: Path, begun: list[Object], resources: list[Object]) -> None:
        self.commands: list[str] = []
        self.said: list[str] = []
        self.managers: dict[str, str] = {}
        self.state: Object = {"resources": resources, "pending_operations": begun}
        file = folder / "kubeconfig"
        file.write_text(KUBECONFIG)
        self.target = Target("one", "one", str(file))
        self.files = folder / "state" / ".pulumi"

    def recover(self) -> None:
        backend = f"file://{self.files.parent}?no_tmp_dir=true"
        recover.recover("dev", backend, self._pulumi, self.target, self.said.append)

    def _pulumi(self, *words: str, quiet: bool = False) -> str:
        self.commands.append(" ".join(words[:2]))
        if words[:2] == ("stack", "export"):
            return json.dumps({"version": 3, "deployment": self.state})
        if words[:2] == ("stack", "import"):
            self.state = json.loads(Path(words[-1]).read_text())["deployment"]
        return ""

    @property
    def resources(self) -> Any:
        """What the dynamic client offers."""
        return SimpleNamespace(get=self._kind)

    def _kind(self, **_: str) -> Any:
        return SimpleNamespace(get=self._get)

    def _get(self, name: str, namespace: str) -> Any:
        if name not in self.managers:
            gone = SimpleNamespace(status=404, reason="", body="", headers={})
            raise NotFoundError(gone)
        managed = [SimpleNamespace(manager=self.managers[name])]
        metadata = SimpleNamespace(name=name, namespace=namespace, managedFields=managed)
        return SimpleNamespace(metadata=metadata)


def known(name: str, **more: Any) -> Object:
    inputs = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "here"},
    }
    urn = f"urn:pulumi:x::sidecar-powers::kubernetes:core/v1:Pod::{name}"
    return {"urn": urn, "type": "kubernetes:core/v1:Pod", "inputs": inputs, **more}


def begun(name: str, operation: str = "creating") -> Object:
    return {"type": operation, "resource": known(name)}


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Killed:
    resources = [known("updated", id="here/updated"), known("replaced", pendingReplacement=True)]
    names = ["created", "absent", "foreign", "replaced"]
    stack = Killed(tmp_path, [*map(begun, names), begun("updated", "updating")], resources)
    stack.managers = {
        "created": "pulumi-kubernetes",
        "foreign": "kubectl",
        "replaced": "pulumi-kubernetes-1a2b",
        "updated": "pulumi-kubernetes",
    }

    def client(_: object) -> Killed:
        return stack

    monkeypatch.setattr(recover, "DynamicClient", client)
    return stack


def test_what_was_created_is_in_the_state_once_and_nothing_else_is(killed: Killed) -> None:
    killed.recover()
    names = [item["inputs"]["metadata"]["name"] for item in killed.state["resources"]]
    assert names == ["updated", "replaced", "created"]
    assert killed.state["resources"][1:] == [
        known("replaced", id="here/replaced"),
        known("created", id="here/created"),
    ]
    assert "pending_operations" not in killed.state


def test_a_predecessor_that_still_exists_is_deleted_by_the_next_up(killed: Killed) -> None:
    killed.state["resources"][1] = known("replaced", id="before/replaced")
    killed.recover()
    assert killed.state["resources"][1] == known("replaced", id="here/replaced")
    assert known("replaced", id="before/replaced", delete=True) in killed.state["resources"]


def test_it_says_of_each_operation_what_became_of_it(killed: Killed) -> None:
    killed.recover()
    assert killed.said == [
        "Pod created was interrupted while creating: it exists, and is now in the state",
        "Pod absent was interrupted while creating: there is none, and the next up creates it",
        "Pod foreign was interrupted while creating: somebody else's is there, and stays as it is",
        "Pod replaced was interrupted while creating: it exists, and is now in the state",
        "Pod updated was interrupted while updating",
        "The next up goes on from here.",
    ]


def test_the_lock_goes_before_the_state_is_written_and_a_refresh_comes_last(
    killed: Killed,
) -> None:
    killed.recover()
    assert killed.commands == ["stack export", "cancel --yes", "stack import", "refresh --yes"]


def test_a_provider_that_had_not_started_is_forgotten(killed: Killed) -> None:
    provider: Object = {
        "urn": "urn:pulumi:x::p::pulumi:providers:kubernetes::default",
        "type": "pulumi:providers:kubernetes",
        "inputs": {},
    }
    killed.state["pending_operations"] = [{"type": "creating", "resource": provider}]
    killed.recover()
    assert provider not in killed.state["resources"]


def test_a_stack_that_was_not_interrupted_is_refreshed_only(killed: Killed) -> None:
    del killed.state["pending_operations"]
    killed.recover()
    assert "stack import" not in killed.commands
    assert killed.said == ["Nothing was interrupted."]


def test_nothing_is_changed_while_the_cluster_cannot_be_asked(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(CommandError, match="The cluster can't be asked what exists"):
        killed.recover()
    assert killed.commands == ["stack export"]


def lock(killed: Killed, hostname: str) -> None:
    folder = killed.files / "locks" / "organization" / "sidecar-powers" / "dev"
    folder.mkdir(parents=True)
    held = {"pid": os.getpid(), "username": "me", "hostname": hostname}
    (folder / "a.json").write_text(json.dumps(held))


def test_an_update_that_still_runs_is_not_recovered_from(killed: Killed) -> None:
    lock(killed, socket.gethostname())
    comm = Path("/proc/self/comm")
    name = comm.read_text()
    comm.write_text("pulumi")
    try:
        with pytest.raises(CommandError, match=rf"of stack dev .* process {os.getpid()}: wait"):
            killed.recover()
    finally:
        comm.write_text(name.strip())
    assert killed.commands == []


@pytest.mark.parametrize("hostname", [socket.gethostname(), "another"])
def test_a_lock_that_nobody_here_holds_is_removed(killed: Killed, hostname: str) -> None:
    # This process has the number that is in the lock, but is no `pulumi`.
    lock(killed, hostname)
    killed.recover()
    assert "cancel --yes" in killed.commands


def test_attributes_that_were_not_written_to_the_end_are_removed(killed: Killed) -> None:
    folder = killed.files / "stacks" / "sidecar-powers"
    folder.mkdir(parents=True)
    for name, text in (("dev.json", "{}"), ("dev.json.attrs", ""), ("dev.json.bak.attrs", "{}")):
        (folder / name).write_text(text)
    killed.recover()
    assert sorted(file.name for file in folder.iterdir()) == ["dev.json", "dev.json.bak.attrs"]
