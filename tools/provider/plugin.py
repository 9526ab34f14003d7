"""Answers the engine: what it checks, compares, creates, reads, updates and deletes.

See https://www.pulumi.com/docs/iac/build-with-pulumi/implementers-guide/.
"""

from collections.abc import Awaitable, Callable

from pulumi.provider.experimental import provider as engine

from tools.provider import apply, cluster, create, diff, drift, immutable, wait
from tools.provider.errors import ApiError, InitFailedError, NotReadyError, ProviderError
from tools.provider.inputs import complete, is_autonamed, old_inputs, settings, type_of
from tools.provider.objects import Api, Ref
from tools.provider.paths import Path, parse
from tools.provider.values import Properties, has_unknown, plain_map, properties
from tools.status import Object, section

Log = Callable[[str, str, bool], Awaitable[None]]
"""Shows a message at a resource (by URN): a warning if True, else a passing status line."""

_PROPAGATION = "pulumi.com/deletionPropagationPolicy"
"""The annotation that says whether to wait for what an object owns; the published plugin's.
See https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/."""

_HAS_DEPENDENTS = {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"}
"""Deleted in the foreground: they are gone only when their pods are."""


class Kubernetes(engine.Provider):
    """The stand-in for the published plugin; it lives as long as one preview, up, refresh, ..."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiter = wait.Waiter()
        self._settings: dict[str, str] = {}
        self._rules = immutable.Rules()
        self._connection: tuple[Api, str] | None = None
        self._in_state: set[str] = set()
        """URNs that the state knows: creating one of them means replacing it."""

    async def check_config(self, request: engine.CheckRequest) -> engine.CheckResponse:
        """Refuse other stacks and contexts before anything else happens."""
        chosen = settings(request.new_inputs)
        failures: list[engine.CheckFailure] = []
        try:
            cluster.check_stack(request.urn)
            cluster.connect(chosen.get("kubeconfig", ""), chosen.get("context", ""))
        except ProviderError as error:
            failures.append(engine.CheckFailure("", str(error)))
        return engine.CheckResponse(request.new_inputs, failures)

    async def configure(self, request: engine.ConfigureRequest) -> engine.ConfigureResponse:
        """Remember the settings; nothing is read or sent before it is needed."""
        self._settings = settings(request.args)
        self._rules = immutable.Rules(
            config_map_mutable=self._settings.get("enableConfigMapMutable") == "true",
            secret_mutable=self._settings.get("enableSecretMutable") == "true",
        )
        return engine.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: engine.CheckRequest) -> engine.CheckResponse:
        """Complete the inputs: apiVersion and kind from the type, a name if there is none."""
        api, namespace = self._serve(request.urn)
        if request.old_inputs:
            self._in_state.add(request.urn)
        new, old = plain_map(request.new_inputs), plain_map(request.old_inputs)
        new = complete(new, old, request.type, request.name, request.random_seed)
        if namespace and "namespace" not in section(new, "metadata"):
            kind = await api.kind(new["apiVersion"], new["kind"])
            if kind.namespaced and not has_unknown(new.get("metadata")):
                new["metadata"]["namespace"] = namespace
        return engine.CheckResponse(inputs=properties(new, request.new_inputs))

    async def diff(self, request: engine.DiffRequest) -> engine.DiffResponse:
        """Compare old inputs with new ones; ask the API server what it can update in place."""
        api, _ = self._serve(request.urn)
        self._in_state.add(request.urn)
        old, new = old_inputs(request.old_state), plain_map(request.new_inputs)
        changes = diff.differences(old, new)
        replaces = immutable.replaced(old, changes, self._rules)
        if changes and not replaces and not has_unknown(new):
            ref = await self._ref(api, request.type, request.old_state, request.resource_id)
            try:
                await apply.update(api, ref, old, new, _ignored(request), dry_run=True)
            except ApiError as error:
                replaces = immutable.refused_as_immutable(error, changes)
            except ProviderError:
                pass  # the update says it
        return diff.answer(changes, replaces, renamed=is_autonamed(new))

    async def create(self, request: engine.CreateRequest) -> engine.CreateResponse:
        """POST the object and wait until it is ready; in a preview ask if it would be taken."""
        api, _ = self._serve(request.urn)
        inputs = plain_map(request.properties)
        replacing = request.urn in self._in_state
        if request.preview:
            if not has_unknown(inputs):
                ref = await self._ref(api, request.type, request.properties)
                await create.preview(api, ref, inputs, replacing, self._say(request.urn, True))
            return engine.CreateResponse("", request.properties)
        ref = await self._ref(api, request.type, request.properties)
        say = self._say(request.urn)
        live = await create.create(api, ref, inputs, replacing, self._waiter.pause, say)
        live = await apply.own(api, ref, live)
        outputs = await self._ready(api, ref, live, request, request.properties)
        return engine.CreateResponse(ref.id, outputs)

    async def update(self, request: engine.UpdateRequest) -> engine.UpdateResponse:
        """Apply what changed and wait until the object is ready; in a preview, a dry run."""
        api, _ = self._serve(request.urn)
        old, new = old_inputs(request.olds), plain_map(request.news)
        if request.preview and has_unknown(new):
            return engine.UpdateResponse(request.news)
        ref = await self._ref(api, request.type, request.olds, request.resource_id)
        live = await apply.update(api, ref, old, new, _ignored(request), request.preview)
        if request.preview:
            return engine.UpdateResponse(_outputs(live, request.news))
        return engine.UpdateResponse(await self._ready(api, ref, live, request, request.news))

    async def read(self, request: engine.ReadRequest) -> engine.ReadResponse:
        """The object as it is now, and the same as inputs; no id if it is gone."""
        api, _ = self._serve(request.urn)
        ref = await self._ref(api, request.type, request.properties, request.resource_id)
        live = await api.get(ref)
        if live is None:
            return engine.ReadResponse("")
        known = plain_map(request.inputs)
        part = drift.declared_part(live, known) if known else drift.all_inputs(live)
        inputs, outputs = properties(part, request.inputs), _outputs(live, request.inputs)
        reason = await wait.not_ready_now(api, live) if known else None
        if reason is not None:
            raise InitFailedError(f"{ref} is not ready: {reason}", ref.id, outputs, inputs)
        return engine.ReadResponse(ref.id, outputs, inputs)

    async def delete(self, request: engine.DeleteRequest) -> None:
        """Delete the object and wait until it and what it owns are gone."""
        api, _ = self._serve(request.urn)
        ref = await self._ref(api, request.type, request.properties, request.resource_id)
        live = await api.get(ref)
        if live is None:
            return
        policy = section(live, "metadata", "annotations").get(_PROPAGATION, "").capitalize()
        default = "Foreground" if ref.kind in _HAS_DEPENDENTS else "Background"
        await api.delete(ref, policy if policy in ("Background", "Orphan") else default)
        if not wait.skips_wait(live):
            uid, say = live["metadata"]["uid"], self._say(request.urn)
            await self._waiter.gone(api, ref, uid, request.timeout, say)

    async def cancel(self) -> None:
        """Ctrl-C: end all waits; what exists by then is recorded in the state."""
        self._waiter.cancel()

    def _serve(self, urn: str) -> tuple[Api, str]:
        """The API server and the default namespace, if the stack and the context are served."""
        cluster.check_stack(urn)
        if self._connection is None:
            kubeconfig, context = (self._settings.get(key, "") for key in ("kubeconfig", "context"))
            client, namespace = cluster.connect(kubeconfig, context)
            self._connection = Api(client), self._settings.get("namespace", namespace)
        return self._connection

    async def _ref(self, api: Api, token: str, known: Properties, resource_id: str = "") -> Ref:
        """Which object is meant: by its id, or before it has one by its inputs."""
        held = plain_map(known)
        version, kind = type_of(token)
        metadata = section(held, "metadata")
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        if resource_id:
            namespace, _, name = resource_id.rpartition("/")
        return await api.ref(held.get("apiVersion", version), kind, namespace, name)

    async def _ready(
        self,
        api: Api,
        ref: Ref,
        live: Object,
        request: engine.CreateRequest | engine.UpdateRequest,
        inputs: Properties,
    ) -> Properties:
        """The outputs when the object is ready; raises InitFailedError if it is not in time."""
        try:
            say = self._say(request.urn)
            live = await self._waiter.ready(api, ref, live, request.timeout, say)
        except NotReadyError as error:
            outputs = _outputs(error.live, inputs)
            raise InitFailedError(str(error), ref.id, outputs, inputs) from error
        return _outputs(live, inputs)

    def _say(self, urn: str, warn: bool = False) -> wait.Report:
        return lambda text: self._log(urn, text, warn)


def _ignored(request: engine.DiffRequest | engine.UpdateRequest) -> list[Path]:
    return [parse(text) for text in request.ignore_changes]


def _outputs(live: Object, inputs: Properties) -> Properties:
    """The live object without the record of who owns which field, which fills half of it."""
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return properties({**live, "metadata": metadata}, inputs)
