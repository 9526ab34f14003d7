"""A copy of the project with stacks of its own, driven by plain `pulumi` commands."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from kubernetes import client, config, stream

from tests.cluster.program import Object, Program
from tools import drift, engine, paths
from tools.target import Target
from tools.verify import Result, verify
from tools.verify.report import show


@dataclass(frozen=True)
class Change:
    """What becomes of one resource."""

    operation: str
    """create, update, replace or delete."""

    fields: frozenset[str]
    """What differs."""

    forcing: frozenset[str]
    """What of it no update can make."""


class Project(Program):
    """The program, copied so that neither the work tree nor a person's stack is touched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.namespace = self.stack
        self.config: Object = {}
        for name in ("Pulumi.yaml", "__main__.py", "components", "stacks"):
            source = paths.ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        self.configure()
        self.initialise()

    @property
    def file(self) -> Path:
        return self.folder / "stacks" / f"Pulumi.{self.stack}.yaml"

    def configure(self, stack: str = engine.LOCAL, **settings: Any) -> None:
        """Write the stack's file: another stack's, but for cluster, namespace and these."""
        self.config = {
            **engine.stack_config(stack),
            "kubernetes:context": paths.CONTEXT,
            "kubernetes:kubeconfig": str(paths.KUBECONFIG),
            "sidecar-powers:namespace": self.namespace,
        }
        if "defaults" in settings:
            defaults = self.config.get("sidecar-powers:defaults", {})
            self.config["sidecar-powers:defaults"] = {**defaults, **settings.pop("defaults")}
        self.config |= {f"sidecar-powers:{key}": value for key, value in settings.items()}
        # The salt belongs to the stack, which has one from its first configuration on.
        content = yaml.safe_load(engine.stack_file(engine.LOCAL).read_text())
        self.file.write_text(yaml.safe_dump({**content, "config": self.config}))

    def encrypted(self, text: str) -> Object:
        """A secret as it stands in the stack's file, which is then to be configured again."""
        command = ("pulumi", "config", "set", "--secret", "text", "--stack", self.stack)
        subprocess.run(command, cwd=self.folder, env=self.env, input=text.encode(), check=True)
        return yaml.safe_load(self.file.read_text())["config"]["sidecar-powers:text"]

    def verify(self, *demos: str) -> None:
        """Assert that all checks of these demos pass, or of all of them."""
        results = self.verified(*demos)
        assert all(result.passed for result in results), show(results, self.stack, "table")

    def verified(self, *demos: str) -> list[Result]:
        """What the checks of these demos, or of all of them, have come to."""
        all_demos: Object = self.config["sidecar-powers:demos"]
        chosen = {key: all_demos[key] for key in demos or all_demos}
        target = Target(paths.CONTEXT, paths.CONTEXT, str(paths.KUBECONFIG))
        return verify(
            self.stack,
            {**self.config, "sidecar-powers:demos": chosen},
            target,
            lambda text: print(text, file=sys.stderr),
        )

    def previewed(self) -> dict[str, Change]:
        """What a preview says will change, by URN."""
        steps = self._json("preview")["steps"]
        return {
            step["urn"]: _change(step["op"], step.get("detailedDiff"), step.get("replaceReasons"))
            for step in steps
            if step["op"] != "same"
        }

    def changed(self) -> dict[str, Change]:
        """What an up has changed, by URN."""
        lines = self._read("up", "--yes", "--skip-preview", "--json").splitlines()
        events: list[Object] = [json.loads(line) for line in lines]
        done = [item["resOutputsEvent"]["metadata"] for item in events if "resOutputsEvent" in item]
        # A replacement is told three times: as a whole, the deletion and the creation.
        return {
            item["urn"]: _change(item["op"], item.get("detailedDiff"), item.get("keys"))
            for item in done
            if item.get("logical") and item["op"] != "same"
        }

    def drifted(self) -> list[str]:
        """What `make drift` would say that others have changed."""
        words = [word for word in drift.COMMAND if word != "--json"]
        return drift.rows(self._json(*words))


def _change(operation: str, fields: Iterable[str] | None, forcing: Iterable[str] | None) -> Change:
    return Change(operation, frozenset(fields or ()), frozenset(forcing or ()))


class Cluster:
    """What runs on the local cluster, seen with the official client."""

    def __init__(self) -> None:
        connection = cast(Any, config).new_client_from_config(
            str(paths.KUBECONFIG), context=paths.CONTEXT
        )
        self.core = cast(Any, client).CoreV1Api(connection)
        self.apps = cast(Any, client).AppsV1Api(connection)
        self.rbac = cast(Any, client).RbacAuthorizationV1Api(connection)
        self.networking = cast(Any, client).NetworkingV1Api(connection)
        self.admission = cast(Any, client).AdmissionregistrationV1Api(connection)

    def pods(self, namespace: str) -> list[Any]:
        found = self.core.list_namespaced_pod(namespace).items
        return [pod for pod in found if not pod.metadata.deletion_timestamp]

    def pod(self, namespace: str, demo: str) -> Any:
        """The one pod of a demo."""
        selector = f"app.kubernetes.io/instance={demo}-demo"
        found = self.core.list_namespaced_pod(namespace, label_selector=selector).items
        # Evicted pods stay, but a Deployment has replaced them.
        alive = [
            pod
            for pod in found
            if not pod.metadata.deletion_timestamp
            and pod.status.phase not in ("Failed", "Succeeded")
        ]
        assert len(alive) == 1, [pod.metadata.name for pod in alive]
        return alive[0]

    def hurry(self, namespace: str) -> None:
        """Let the kubelet bring changed ConfigMaps and Secrets into a namespace's pods now.

        It looks when a pod changes, and otherwise about once a minute.
        https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
        """
        body = {"metadata": {"annotations": {"example.org/looked": str(time.time())}}}
        for pod in self.pods(namespace):
            self.core.patch_namespaced_pod(pod.metadata.name, namespace, body)

    def log(self, namespace: str, demo: str, container: str) -> str:
        name = self.pod(namespace, demo).metadata.name
        return self.core.read_namespaced_pod_log(name, namespace, container=container)

    def run(self, namespace: str, demo: str, container: str, command: str) -> str:
        """What a shell command in a container prints, errors included."""
        answer: Any = cast(Any, stream).stream(
            self.core.connect_get_namespaced_pod_exec,
            self.pod(namespace, demo).metadata.name,
            namespace,
            container=container,
            command=["/bin/sh", "-c", command],
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
        )
        try:
            answer.run_forever(timeout=60)
            return answer.read_all()
        finally:
            # Its own `close` leaves the socket open if the server was the first to close.
            answer.sock.shutdown()


def restarts(pod: Any) -> int:
    app: list[Any] = pod.status.container_statuses or []
    init: list[Any] = pod.status.init_container_statuses or []
    return sum(status.restart_count for status in [*app, *init])


def is_ready(pod: Any) -> bool:
    conditions: list[Any] = pod.status.conditions or []
    return any(item.type == "Ready" and item.status == "True" for item in conditions)
