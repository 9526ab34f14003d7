"""Pods of a live cluster, seen with the official client as checks want to see them."""

import json
import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any, cast

from kubernetes import client, config, stream
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from components.checks import Line, Page, UnmetError
from stacks.settings import Instance
from tools.errors import CommandError
from tools.status import Object, condition
from tools.target import Target

_TIMEOUT = 20
"""Seconds for one request."""

_FIRST_BYTES = 1 << 16
"""How much of a log is read for its first lines."""

_POLL = 0.5
"""Seconds between two looks at the same thing."""


class Patience:
    """The time that a check has, unless somebody stops all of them."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._start, self._seconds, self._stop = time.monotonic(), seconds, stop

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds, less than 0 when it is over."""
        return 0 if self._stop.is_set() else self._seconds - self.elapsed

    def pause(self, seconds: float, seen: str = "") -> None:
        """Let time pass. Raises UnmetError when it is over."""
        if self.left <= 0:
            raise UnmetError(seen or "not in time")
        self._stop.wait(seconds)

    def until(self, look: Callable[[], str]) -> str:
        """What `look` returns once it raises UnmetError no more, which must be in time."""
        while True:
            try:
                return look()
            except UnmetError:
                if self.left <= 0:
                    raise
            self._stop.wait(_POLL)


class Cluster:
    """The cluster that a context of a kubeconfig leads to."""

    def __init__(self, target: Target) -> None:
        """Raises CommandError if it does not answer."""
        self.stop = threading.Event()
        """Ends all that looks at it."""
        try:
            connection = cast(Any, config).new_client_from_config(
                target.kubeconfig, context=target.context
            )
            self._configuration = connection.configuration
            cast(Any, client).VersionApi(connection).get_code(_request_timeout=_TIMEOUT)
        except ConfigException as error:
            raise CommandError(f"KUBECONFIG: {error}") from None
        except (ApiException, HTTPError, OSError) as error:
            raise CommandError(
                f"Context {target.context} can't be reached: {said(error)}"
            ) from None

    def core(self) -> Any:
        """A client of its own: one that streams can do nothing else meanwhile."""
        return cast(Any, client).CoreV1Api(cast(Any, client).ApiClient(self._configuration))

    def workload(self, outputs: Object) -> Object:
        """The Deployment or the Pod of a demo. Raises UnmetError if it can't be had."""
        kind, name, namespace = outputs["kind"], outputs["name"], outputs["namespace"]
        apps = cast(Any, client).AppsV1Api(self.core().api_client)
        read = {
            "Deployment": apps.read_namespaced_deployment,
            "Pod": self.core().read_namespaced_pod,
        }
        try:
            with unmet():
                return _json(read[kind], name, namespace)
        except UnmetError as error:
            if str(error).endswith(f'"{name}" not found'):
                raise UnmetError(f"there is no {kind} {name} in namespace {namespace}") from None
            raise

    def pods(self, namespace: str, name: str) -> list[Object]:
        """The pods of a demo's workload, those that are ending left out, failed ones not."""
        selector = f"app.kubernetes.io/instance={name}"
        with unmet():
            found = _json(self.core().list_namespaced_pod, namespace, label_selector=selector)
        pods: list[Object] = found["items"]
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def ready_pods(self, namespace: str, instance: Instance, seconds: float) -> list[str]:
        """The names of a demo's pods when as many as there should be are ready, and no others.

        Raises UnmetError with the number of those that are ready if they aren't in time.
        """
        wanted = instance.args.get("replicas", 1)
        names: list[str] = []

        def look() -> str:
            pods = self.pods(namespace, instance.name)
            if instance.args["workload"] == "deployment":
                # What was evicted says nothing of what has taken its place.
                pods = [
                    pod for pod in pods if pod["status"]["phase"] not in ("Failed", "Succeeded")
                ]
            ready = [pod for pod in pods if condition(pod, "Ready").get("status") == "True"]
            if not len(ready) == len(pods) == wanted:
                raise UnmetError(f"{len(ready)} of {len(pods)} pods")
            names[:] = [pod["metadata"]["name"] for pod in ready]
            return ""

        Patience(seconds, self.stop).until(look)
        return names


class LivePod(Patience):
    """A running pod, as checks see it (components.checks.Live)."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, within: float) -> None:
        super().__init__(within, cluster.stop)
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._core = cluster.core()

    def pod(self) -> Object:
        with unmet():
            return _json(self._core.read_namespaced_pod, self._name, self._namespace)

    def neighbours(self) -> list[str]:
        with unmet():
            found = _json(self._core.list_namespaced_pod, self._namespace)
        names: list[str] = [
            item["metadata"]["name"]
            for item in found["items"]
            if not item["metadata"].get("deletionTimestamp")
        ]
        return sorted(name for name in names if name != self._name)

    def log(self, container: str, *, first: bool = False, last: int = 0) -> list[Line]:
        limits = {"limit_bytes": _FIRST_BYTES} if first else {"tail_lines": last} if last else {}
        with unmet():
            answer = self._core.read_namespaced_pod_log(
                self._name,
                self._namespace,
                container=container,
                timestamps=True,
                _preload_content=False,
                _request_timeout=_TIMEOUT,
                **limits,
            )
        text: str = answer.data.decode(errors="replace")
        # A line that is cut off has no end yet.
        return [_line(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def run(self, container: str, command: str) -> str:
        with unmet():
            return cast(Any, stream).stream(
                self._core.connect_get_namespaced_pod_exec,
                self._name,
                self._namespace,
                container=container,
                command=["/bin/sh", "-c", command],
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _request_timeout=_TIMEOUT,
            )

    @contextmanager
    def http(self, port: int) -> Generator[Callable[[], Page]]:
        connections: list[HTTPConnection] = []

        def get() -> Page:
            started = time.monotonic()
            with unmet():
                if not connections:
                    connections.append(self._forwarded(port))
                connections[0].request("GET", "/")
                answer = connections[0].getresponse()
                text = answer.read().decode(errors="replace")
                if answer.will_close:
                    connections.pop().close()
            if answer.status != 200:
                raise UnmetError(f"GET / answered {answer.status} {answer.reason}")
            return Page(text, time.monotonic() - started)

        try:
            yield get
        finally:
            for connection in connections:
                connection.close()

    def _forwarded(self, port: int) -> HTTPConnection:
        """A connection to a port of the pod, through the API server."""
        forward = cast(Any, stream).portforward(
            self._core.connect_get_namespaced_pod_portforward,
            self._name,
            self._namespace,
            ports=str(port),
        )
        connection = HTTPConnection("pod", timeout=_TIMEOUT)
        connection.sock = forward.socket(port)
        connection.sock.settimeout(_TIMEOUT)
        return connection


@contextmanager
def unmet() -> Generator[None]:
    """What the cluster refuses or can't do is what a check sees."""
    try:
        yield
    except (
        ApiException,
        HTTPError,
        HTTPException,
        OSError,
    ) as error:
        raise UnmetError(said(error)) from None


def said(error: Exception) -> str:
    """The API server's own words, or the client's."""
    if not isinstance(error, ApiException):
        return str(error) or type(error).__name__
    answer: Any = error
    body = answer.body or answer.reason or "no answer"
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    # A refused stream has the answer, headers and all, in one text.
    message = re.search(r'"message":("(?:[^"\\]|\\.)*")', text)
    return json.loads(message[1]) if message else text


def _json(call: Callable[..., Any], *words: str, **query: str) -> Object:
    """The API server's answer as it is, in Kubernetes' own spelling."""
    answer = call(*words, _preload_content=False, _request_timeout=_TIMEOUT, **query)
    return json.loads(answer.data)


def _line(text: str) -> Line:
    stamp, _, rest = text.rstrip("\n").partition(" ")
    return Line(datetime.fromisoformat(stamp).timestamp(), rest)
