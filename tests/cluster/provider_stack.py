"""A throw-away stack and namespace for one test: the real engine on the real cluster."""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pulumi_kubernetes as kubernetes_sdk
from kubernetes import client, config
from pulumi import CustomTimeouts, ResourceOptions, automation
from pulumi.runtime import _grpc_settings

from tests.cluster.faults import within
from tools import toolchain
from tools.paths import CONTEXT, KUBECONFIG, ROOT

# One process talks to many engines here, one after another. gRPC's channels to the same address
# share their connection, so an engine on the port of one that has ended would be refused for as
# long as that one's retries back off.
# https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
_untyped: Any = _grpc_settings
_untyped._GRPC_CHANNEL_OPTIONS.append(("grpc.use_local_subchannel_pool", 1))

IMAGE = "localhost/sidecar-powers/busybox:bookworm"
"""A local image with a shell."""

Object = dict[str, Any]
Program = Callable[[], Any]


class Stack:
    """One stack with a file backend of its own, and the namespace that its test works in."""

    def __init__(self, folder: Path, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.events: list[tuple[str, str]] = []
        """Operation and type of every step of the last run, in order of completion."""
        self.operations: dict[str, str] = {}
        """What the last run did with each resource, by logical name."""
        self._backend = folder / "backend"
        self._backend.mkdir(exist_ok=True)
        path = f"{ROOT / 'tools' / 'provider'}:{toolchain.path()}"
        cli = shutil.which("pulumi", path=path)
        assert cli is not None
        installation = folder / "pulumi"
        installation.mkdir(exist_ok=True)
        if not (installation / "bin").exists():
            (installation / "bin").symlink_to(Path(cli).parent)
        settings = {
            "KUBECONFIG": str(KUBECONFIG),
            "PATH": path,
            "PULUMI_BACKEND_URL": f"file://{self._backend}",
            "PULUMI_CONFIG_PASSPHRASE": "for a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **environment,
        }
        workspace = automation.LocalWorkspace(
            program=lambda: None,
            project_settings=automation.ProjectSettings("provider-test", "python"),
            env_vars=settings,
            pulumi_command=automation.PulumiCommand(str(installation)),
        )
        self._stack = automation.Stack.create(name, workspace)

    def preview(self, program: Program) -> dict[str, int]:
        """The number of resources by operation; raises CommandError."""
        changes = self._run("preview", program).change_summary
        return _without_stack({str(getattr(key, "value", key)): n for key, n in changes.items()})

    def up(self, program: Program) -> dict[str, int]:
        """The number of resources by operation; raises CommandError."""
        return _without_stack(self._run("up", program).summary.resource_changes or {})

    def refresh(self) -> dict[str, int]:
        """The number of resources by operation; raises CommandError."""
        return _without_stack(self._run("refresh").summary.resource_changes or {})

    def destroy(self) -> None:
        """Delete everything; raises CommandError."""
        self._run("destroy")

    def outputs(self) -> dict[str, Any]:
        """What the program exported."""
        return {key: output.value for key, output in self._stack.outputs().items()}

    def resources(self) -> dict[str, Object]:
        """What the state holds, by the resources' logical names."""
        held = self._stack.export_stack().deployment or {}
        return {item["urn"].split("::")[-1]: item for item in held.get("resources", [])}

    def state_text(self) -> str:
        """The state as it is stored, secrets encrypted."""
        stored = self._backend.rglob(f"{self.name}.json*")
        return "".join(path.read_text() for path in stored if path.is_file())

    def failure(self, operation: Callable[[Program], Any], program: Program) -> str:
        """What the CLI prints when the operation fails; AssertionError if it does not."""
        try:
            operation(program)
        except automation.CommandError as error:
            return str(error)
        raise AssertionError("it succeeded")

    def timed(self, operation: Callable[[], Any]) -> float:
        """How long it takes, in seconds."""
        start = time.monotonic()
        operation()
        return time.monotonic() - start

    def interrupt(self, ready: Callable[[], Any]) -> Future[float]:
        """Press Ctrl-C in the CLI once something is so, in the background; tells the moment."""

        def press() -> float:
            within(60, ready)
            for line in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
                for child in line.read_text().split():
                    if b"pulumi" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]:
                        os.kill(int(child), signal.SIGINT)
            return time.monotonic()

        pool = ThreadPoolExecutor(1)
        pressed = pool.submit(press)
        pool.shutdown(wait=False)
        return pressed

    def _run(self, operation: str, program: Program | None = None) -> Any:
        self.events, self.operations = [], {}
        # More than the engine's default, so that what waits never keeps the others from starting.
        arguments: Object = {"on_event": self._see, "parallel": 32}

        def run() -> None:
            if program is not None:
                program()

        if program is not None:
            arguments["program"] = run
        return getattr(self._stack, operation)(**arguments)

    def _see(self, event: Any) -> None:
        if event.res_outputs_event is not None:
            step = event.res_outputs_event.metadata
            operation = str(getattr(step.op, "value", step.op))
            self.events.append((operation, step.type))
            # A replacement comes in three steps, of which one stands for the whole.
            if step.logical:
                self.operations[step.urn.split("::")[-1]] = operation


def _without_stack(changes: Mapping[str, int]) -> dict[str, int]:
    """The stack counts itself as a resource: 1 less of what it went through."""
    left = dict(changes)
    for operation in ("same", "create", "update"):
        if left.get(operation):
            left[operation] -= 1
            break
    return {operation: count for operation, count in left.items() if count}


@contextmanager
def throw_away(
    folder: Path, labels: Mapping[str, str] | None = None, **environment: str
) -> Generator[Stack]:
    """A stack and a namespace of the same name, which is deleted afterwards with all it holds."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    core = core_api()
    core.create_namespace({"metadata": {"name": name, "labels": dict(labels or {})}})
    try:
        deadline = time.monotonic() + 30
        while not core.list_namespaced_service_account(name).items:
            assert time.monotonic() < deadline, "the namespace got no service account"
            time.sleep(0.05)
        yield Stack(folder, name, environment)
    finally:
        core.delete_namespace(name)


def core_api() -> Any:
    """The API of pods, config maps and the like, to look at the cluster and to edit by hand."""
    return client.CoreV1Api(_client())


def apps_api() -> Any:
    """The API of deployments."""
    return client.AppsV1Api(_client())


def _client() -> Any:
    untyped: Any = config
    return untyped.new_client_from_config(str(KUBECONFIG), context=CONTEXT)


def container(name: str = "app", command: str = "sleep 3600", **more: Any) -> Object:
    """A container that runs a shell command, and ends at once when it is told to."""
    script = f"trap 'exit 0' TERM; {command} & wait $!"
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


def named(stack: Stack, name: str, **more: Any) -> Any:
    """The metadata of an object in the test's namespace."""
    return {"name": name, "namespace": stack.name, **more}


def pod(
    stack: Stack,
    name: str = "pod",
    spec: Object | None = None,
    seconds: int = 60,
    metadata: Object | None = None,
    **options: Any,
) -> kubernetes_sdk.core.v1.Pod:
    """Declare a pod, of one container unless `spec` says otherwise; `seconds` to become ready."""
    timeouts = CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete="60s")
    given = {"containers": [container()], "terminationGracePeriodSeconds": 1, **(spec or {})}
    return kubernetes_sdk.core.v1.Pod(
        name,
        metadata=named(stack, name, **(metadata or {})),
        spec=cast(Any, given),
        opts=ResourceOptions(custom_timeouts=timeouts, **options),
    )


def deployment(
    stack: Stack,
    name: str = "web",
    replicas: int = 1,
    seconds: int = 60,
    template: Object | None = None,
    labels: Mapping[str, str] | None = None,
    **options: Any,
) -> kubernetes_sdk.apps.v1.Deployment:
    """Declare a deployment of one container."""
    chosen = dict(labels or {"app": name})
    given = {"containers": [container()], "terminationGracePeriodSeconds": 1, **(template or {})}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": chosen},
        "template": {"metadata": {"labels": chosen}, "spec": given},
    }
    timeouts = CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete="60s")
    return kubernetes_sdk.apps.v1.Deployment(
        name,
        metadata=named(stack, name),
        spec=cast(Any, spec),
        opts=ResourceOptions(custom_timeouts=timeouts, **options),
    )


def config_map(
    stack: Stack, data: Mapping[str, Any] | None = None, name: str = "settings", **more: Any
) -> kubernetes_sdk.core.v1.ConfigMap:
    """Declare a config map; `more` is its metadata, `opts` excepted."""
    options = more.pop("opts", None)
    return kubernetes_sdk.core.v1.ConfigMap(
        name,
        metadata=named(stack, name, **more),
        data=dict(data or {"key": "value"}),
        opts=options,
    )
