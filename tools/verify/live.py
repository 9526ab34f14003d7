"""Pods of a live cluster, seen as checks want to see them."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from typing import Any, cast

from kubernetes import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL

from components.checks import Line, Page, UnmetError
from tools.status import Object
from tools.verify.cluster import TIMEOUT, Cluster, answered, unmet
from tools.verify.patience import Patience, UnseenError

_FIRST_BYTES = 1 << 16
"""How much of a log is read for its first lines."""


class LivePod(Patience):
    """A running pod, as checks see it (components.checks.Live).

    A connection that fails is tried again as long as there is time: it says nothing of the pod.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str, within: float) -> None:
        super().__init__(within, cluster.stop)
        self._core, self._stream = cluster.core, cluster.stream()
        self._namespace, self._name = namespace, name

    def pod(self) -> Object:
        def look() -> Object:
            with unmet():
                return answered(self._core.read_namespaced_pod, self._name, self._namespace)

        return self.reached(look)

    def neighbours(self) -> list[str]:
        def look() -> Object:
            with unmet():
                return answered(self._core.list_namespaced_pod, self._namespace)

        items: list[Object] = self.reached(look)["items"]
        alive = [item["metadata"] for item in items]
        names = [item["name"] for item in alive if not item.get("deletionTimestamp")]
        return sorted(name for name in names if name != self._name)

    def first_lines(self, container: str) -> list[Line]:
        return self._log(container, limit_bytes=_FIRST_BYTES)

    def last_lines(self, container: str, count: int) -> list[Line]:
        return self._log(container, tail_lines=count)

    def recent_lines(self, container: str, seconds: int) -> list[Line]:
        return self._log(container, since_seconds=seconds)

    def _log(self, container: str, **limit: int) -> list[Line]:
        def look() -> str:
            with unmet():
                answer = self._core.read_namespaced_pod_log(
                    self._name,
                    self._namespace,
                    container=container,
                    timestamps=True,
                    _preload_content=False,
                    _request_timeout=TIMEOUT,
                    **limit,
                )
            return answer.data.decode(errors="replace")

        # What comes after the last line's end is a line that is cut off, or nothing. Other
        # characters that Python takes for ends are the container's own.
        return [_line(text) for text in self.reached(look).split("\n")[:-1]]

    def run(self, container: str, command: str) -> str:
        def look() -> str:
            with unmet():
                answer: Any = cast(Any, stream).stream(
                    self._stream.connect_get_namespaced_pod_exec,
                    self._name,
                    self._namespace,
                    container=container,
                    command=["/bin/sh", "-c", command],
                    stdout=True,
                    stderr=True,
                    stdin=False,
                    tty=False,
                    _preload_content=False,
                )
                try:
                    answer.run_forever(timeout=TIMEOUT)
                    # What has not ended may have more to say.
                    if answer.is_open():
                        raise UnseenError(
                            f"a command in {container} has not ended within {TIMEOUT} s"
                        )
                    # What has ended says how, unless the connection was lost.
                    ended = json.loads(answer.read_channel(ERROR_CHANNEL) or "{}")
                    said = answer.read_all()
                finally:
                    # Its own `close` leaves the socket open if the server was the first to close.
                    answer.sock.shutdown()
            if ended.get("status") != "Success" and ended.get("reason") != "NonZeroExitCode":
                raise UnseenError(ended.get("message") or f"no answer from {container}")
            return said

        return self.reached(look)

    @contextmanager
    def http(self, port: int) -> Generator[Callable[[], Page]]:
        forward = _Forward(self._stream, self._namespace, self._name, port)
        try:
            yield lambda: self.reached(forward.get)
        finally:
            forward.close()


class _Forward:
    """Requests to a port of a pod, through the API server."""

    def __init__(self, core: Any, namespace: str, name: str, port: int) -> None:
        self._core, self._namespace, self._name, self._port = core, namespace, name, port
        self._forward: Any = None
        self._connection: HTTPConnection | None = None

    def get(self) -> Page:
        """GET /. Raises UnseenError if there is no answer, UnmetError if it is none with 200."""
        try:
            with unmet():
                if self._connection is None:
                    # The way through the cluster is made with the first request.
                    self._request(self._connected())
                connection = self._connection or self._connected()
                started = time.monotonic()
                return Page(self._request(connection), time.monotonic() - started)
        except UnseenError as error:
            refused = self._forward.error(self._port) if self._forward else None
            self.close()
            raise UnseenError(str(refused or error).strip()) from None

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._forward = self._connection = None

    def _connected(self) -> HTTPConnection:
        self._forward = cast(Any, stream).portforward(
            self._core.connect_get_namespaced_pod_portforward,
            self._name,
            self._namespace,
            ports=str(self._port),
        )
        connection = HTTPConnection("pod", timeout=TIMEOUT)
        connection.sock = self._forward.socket(self._port)
        connection.sock.settimeout(TIMEOUT)
        self._connection = connection
        return connection

    def _request(self, connection: HTTPConnection) -> str:
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.will_close:
            # nginx does so after 1,000 requests.
            self.close()
        if answer.status != 200:
            raise UnmetError(f"GET / answered {answer.status} {answer.reason}")
        return text


def _line(text: str) -> Line:
    stamp, _, rest = text.partition(" ")
    return Line(datetime.fromisoformat(stamp).timestamp(), rest)
