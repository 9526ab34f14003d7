"""The cluster that a stack runs on, asked with the official client."""

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any, cast

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from components.checks import UnmetError
from tools.errors import CommandError
from tools.status import Object, condition, section
from tools.target import Target
from tools.verify.patience import Patience, UnseenError

TIMEOUT = 20
"""Seconds for one request."""

_ANONYMOUS = "system:anonymous"

_CONNECTIONS = 64
"""To the API server at a time."""


class Cluster:
    """The cluster that a context of a kubeconfig leads to."""

    def __init__(self, target: Target) -> None:
        """Raises CommandError if it does not answer, or not to this person."""
        self.stop = threading.Event()
        """Ends all that looks at it."""
        try:
            connection = cast(Any, config).new_client_from_config(
                target.kubeconfig, context=target.context
            )
            self._configuration = connection.configuration
            self._configuration.connection_pool_maxsize = _CONNECTIONS
            self._client = cast(Any, client).ApiClient(self._configuration)
            self._check_login(target.context)
        except (ConfigException, ValueError) as error:
            raise CommandError(f"KUBECONFIG: {error}") from None
        except (ApiException, HTTPError, OSError) as error:
            refused = isinstance(error, ApiException) and cast(Any, error).status == 401
            how = "refuses the login of its user" if refused else "can't be reached"
            raise CommandError(f"Context {target.context} {how}: {said(error)}") from None

    def _check_login(self, context: str) -> None:
        """Raises CommandError for somebody whom the cluster doesn't know."""
        cast(Any, client).VersionApi(self._client).get_code(_request_timeout=TIMEOUT)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        ask = cast(Any, client).AuthenticationV1Api(self._client).create_self_subject_review
        # A version is told to anybody; who one is, not by every cluster.
        try:
            with unmet():
                user: str = answered(ask, review)["status"]["userInfo"]["username"]
        except UnmetError as error:
            user = str(error)
        if _ANONYMOUS in user:
            raise CommandError(f"Context {context} logs nobody in: has its user credentials?")

    @property
    def core(self) -> Any:
        return cast(Any, client).CoreV1Api(self._client)

    def stream(self) -> Any:
        """A client that streams and does nothing else: it can't do both at a time."""
        return cast(Any, client).CoreV1Api(cast(Any, client).ApiClient(self._configuration))

    def workload(self, outputs: Object) -> Object:
        """The Deployment or the Pod of a demo. Raises UnmetError if it can't be had."""
        kind, name, namespace = outputs["kind"], outputs["name"], outputs["namespace"]
        read = {
            "Deployment": cast(Any, client).AppsV1Api(self._client).read_namespaced_deployment,
            "Pod": self.core.read_namespaced_pod,
        }
        try:
            with unmet():
                return answered(read[kind], name, namespace)
        except UnmetError as error:
            if str(error).endswith(f'"{name}" not found'):
                raise UnmetError(f"there is no {kind} {name} in namespace {namespace}") from None
            raise

    def pods(self, outputs: Object) -> list[Object]:
        """The pods of a demo, those that are ending left out, failed ones not."""
        selector = f"app.kubernetes.io/instance={outputs['name']}"
        with unmet():
            found = answered(
                self.core.list_namespaced_pod, outputs["namespace"], label_selector=selector
            )
        pods: list[Object] = found["items"]
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def ready_pods(self, outputs: Object, wanted: int, patience: Patience) -> list[Object]:
        """The pods of a demo when as many as there should be are ready, all of the newest form.

        Raises UnmetError with what there is if they aren't in time, at once if there is nothing.
        """
        patience.reached(lambda: self.workload(outputs))

        def look() -> list[Object]:
            pods = self.pods(outputs)
            if outputs["kind"] == "Deployment":
                _check_rolled_out(self.workload(outputs), wanted)
                # What was evicted says nothing of what has taken its place.
                pods = [
                    pod for pod in pods if pod["status"]["phase"] not in ("Failed", "Succeeded")
                ]
            ready = [pod for pod in pods if condition(pod, "Ready").get("status") == "True"]
            if not len(ready) == len(pods) == wanted:
                raise UnmetError(f"{len(ready)} of {len(pods)} pods are ready")
            return ready

        return patience.until(look)

    def warnings(self, pod: Object) -> list[Object]:
        """The Warning events of a pod, the newest last."""
        selector = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
        with unmet():
            found = answered(
                self.core.list_namespaced_event,
                pod["metadata"]["namespace"],
                field_selector=selector,
            )
        events: list[Object] = found["items"]
        return sorted(
            events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or ""
        )


def _check_rolled_out(deployment: Object, wanted: int) -> None:
    """Raises UnmetError while a Deployment's newest form is not that of all its pods."""
    status = section(deployment, "status")
    updated = status.get("updatedReplicas", 0)
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    if not seen or updated != wanted:
        raise UnmetError(f"{updated if seen else 0} of {wanted} pods are up to date")


def answered(call: Callable[..., Any], *words: Any, **query: str) -> Object:
    """The API server's answer as it is, in Kubernetes' own spelling."""
    answer = call(*words, _preload_content=False, _request_timeout=TIMEOUT, **query)
    return json.loads(answer.data)


def _is_final(error: ApiException, text: str) -> bool:
    """Whether it will be said again: that one may not, or that there is no such object.

    A kubelet that has just started says of every pod that there is none, in other words.
    """
    refused = (401, 403)
    # A refused stream has no status of its own.
    handshake = re.match(r"Handshake status (\d+)", str(cast(Any, error).reason))
    status = int(handshake[1]) if handshake else cast(Any, error).status
    return status in refused or text.endswith('" not found')


@contextmanager
def unmet() -> Generator[None]:
    """What the cluster refuses is what a check sees; another time it may be reached again."""
    try:
        yield
    except ApiException as error:
        text = said(error)
        raise (UnmetError if _is_final(error, text) else UnseenError)(text) from None
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        raise UnseenError(said(error)) from None


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
