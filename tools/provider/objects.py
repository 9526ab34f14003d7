"""Talks to the API server about objects of any kind that it knows."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from tools.provider.errors import ApiError, ProviderError
from tools.status import Object, is_map, of_log

FIELD_MANAGER = "pulumi-kubernetes"
"""Who owns the fields that this provider sets; the published plugin's name for it."""

_TIMEOUT_S = (5, 60)
"""To connect, and to wait for an answer; the API server itself gives up after 60 s."""


@dataclass(frozen=True)
class Ref:
    """Which object is meant."""

    api_version: str
    """`v1`, `apps/v1`, ..."""
    kind: str
    namespace: str
    """Empty for kinds without one."""
    name: str

    @property
    def id(self) -> str:
        """What the engine calls it: `namespace/name`, or `name` for kinds without a namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@dataclass(frozen=True)
class Kind:
    """What discovery says of a kind."""

    path: str
    """Of the group and version: `/api/v1`, `/apis/apps/v1`."""
    plural: str
    namespaced: bool


_LOG_ATTEMPTS = 4


class Api:
    """The API server, reached over kept connections; a group is discovered when first needed."""

    def __init__(self, api_client: client.ApiClient) -> None:
        self._client: Any = api_client
        self._groups: dict[str, asyncio.Task[dict[str, Kind]]] = {}

    async def kind(self, api_version: str, kind: str) -> Kind:
        """Raises ProviderError if the API server does not know the kind."""
        # One task a group: twenty resources that start together share one request.
        task = self._groups.get(api_version)
        if task is None:
            task = asyncio.ensure_future(self._discover(api_version))
            self._groups[api_version] = task
        try:
            found = (await task).get(kind)
        except ProviderError as error:
            self._groups.pop(api_version, None)
            if isinstance(error, ApiError) and error.code == 404:
                raise _unknown(api_version, kind) from error
            raise
        if found is None:
            raise _unknown(api_version, kind)
        return found

    async def ref(self, api_version: str, kind: str, namespace: str, name: str) -> Ref:
        """The object's reference, with the namespace if and only if the kind has one."""
        namespaced = (await self.kind(api_version, kind)).namespaced
        return Ref(api_version, kind, (namespace or "default") if namespaced else "", name)

    async def get(self, ref: Ref) -> Object | None:
        """The object as it is now, None if there is none."""
        try:
            return await self.request("GET", await self._path(ref))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def create(self, ref: Ref, obj: Object, dry_run: bool = False) -> Object:
        """POST: an object of that name that exists already is an error, and stays untouched."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **_dry(dry_run)}
        return await self.request("POST", await self._path(ref, collection=True), query, obj)

    async def apply(
        self, ref: Ref, obj: Object, dry_run: bool = False, force: bool = False
    ) -> Object:
        """Server-side apply; without force a field that somebody else owns is a conflict (409).

        See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower(), **_dry(dry_run)}
        return await self.request(
            "PATCH", await self._path(ref), query, obj, "application/apply-patch+yaml"
        )

    async def json_patch(self, ref: Ref, operations: list[Object]) -> Object:
        """Apply the operations, all or none."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self.request(
            "PATCH", await self._path(ref), query, operations, "application/json-patch+json"
        )

    async def delete(self, ref: Ref, propagation: str) -> None:
        """Ask for the deletion; the object may stay until its finalizers are done."""
        body = {"propagationPolicy": propagation}
        await self.request("DELETE", await self._path(ref), {}, body)

    async def list(self, api_version: str, kind: str, namespace: str, **query: str) -> list[Object]:
        """The objects of a namespace; `query` takes labelSelector and fieldSelector."""
        ref = Ref(api_version, kind, namespace, "")
        found = await self.request("GET", await self._path(ref, collection=True), query)
        return found["items"]

    async def log(self, pod: Ref, container: str, previous: bool, lines: int) -> str:
        """The last lines a container printed, empty if there are none to be had."""
        for _ in range(_LOG_ATTEMPTS):
            query = {"container": container, "tailLines": str(lines)}
            query["previous"] = str(previous).lower()
            path = f"{await self._path(pod)}/log"
            try:
                text = of_log(await asyncio.to_thread(self._send, "GET", path, query))
            except ApiError:
                text = ""
            if text:
                return text
            # A crashing container was just replaced: its log may now be the previous or the next.
            previous = not previous
            await asyncio.sleep(0.5)
        return ""

    async def request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request, in a thread, and return the answer's JSON.

        Raises ApiError with the API server's message, ProviderError if it cannot be reached.
        """
        text = await asyncio.to_thread(self._send, method, path, query, body, content_type)
        return json.loads(text)

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> str:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        method, url, headers, body, _ = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(method, url, headers, body, _request_timeout=_TIMEOUT_S)
            text = (answer.read() or b"").decode("utf-8", "replace")
        except HTTPError as error:
            host, why = self._client.configuration.host, getattr(error, "reason", error)
            raise ProviderError(
                f"the API server at {host} cannot be reached; does the local cluster run? {why}"
            ) from error
        if answer.status >= 400:
            raise ApiError(answer.status, _status(text))
        return text

    async def _path(self, ref: Ref, collection: bool = False) -> str:
        kind = await self.kind(ref.api_version, ref.kind)
        inside = f"/namespaces/{ref.namespace}" if kind.namespaced else ""
        return f"{kind.path}{inside}/{kind.plural}" + ("" if collection else f"/{ref.name}")

    async def _discover(self, api_version: str) -> dict[str, Kind]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        found = await self.request("GET", path)
        return {
            item["kind"]: Kind(path, item["name"], item["namespaced"])
            for item in found["resources"]
            if "/" not in item["name"]  # a subresource, such as pods/log
        }


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _unknown(api_version: str, kind: str) -> ProviderError:
    return ProviderError(f"the API server knows no kind {kind!r} in {api_version!r}.")


def _status(text: str) -> Object:
    try:
        found = json.loads(text)
    except ValueError:
        return {"message": text}
    return found if is_map(found) else {}
