"""Serves the plugin to the engine.

The SDK's server lacks three things that this one adds: the old inputs in the requests that compare
and update, errors as one sentence instead of a traceback, and the answer "it exists, but is not
ready", without which the engine would forget the object.
See https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime import proto
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from tools.provider.cluster import CONNECTIONS
from tools.provider.errors import InitFailedError, ProviderError
from tools.provider.inputs import OLD_INPUTS
from tools.provider.plugin import Kubernetes

VERSION = "4.34.2"
"""Of the SDK whose plugin this stands in for."""

_MESSAGES = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


_ANSWERED = ("CheckConfig", "Configure", "Check", "Diff", "Create", "Update", "Read", "Delete")


class Servicer(ProviderServicer):
    """The SDK's servicer with the three additions."""

    async def Handshake(self, request: Any, context: Any) -> Any:
        """The engine's greeting, which the SDK does not answer."""
        return proto.ProviderHandshakeResponse(accept_secrets=True)

    async def Invoke(self, request: Any, context: Any) -> Any:
        """Functions are left out."""
        text = f"{request.tok} needs the published Kubernetes plugin: its stand-in has no functions"
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)


def _answering(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The SDK's method, with the old inputs handed over and errors told in one sentence."""

    async def answer(self: Servicer, request: Any, context: Any) -> Any:
        if isinstance(request, proto.DiffRequest | proto.UpdateRequest):
            request.olds.fields[OLD_INPUTS].struct_value.CopyFrom(request.old_inputs)
        try:
            return await method(self, request, context)
        except Exception as error:
            # The SDK turns what the provider raised into text with a traceback.
            cause = error.__context__ or error
            details = _init_failed(cause) if isinstance(cause, InitFailedError) else ()
            text = str(cause)
            if not isinstance(cause, ProviderError):
                text = f"the stand-in provider has a bug: {type(cause).__name__}: {cause}"
            await context.abort(grpc.StatusCode.UNKNOWN, text, details)

    return answer


for _name in _ANSWERED:
    setattr(Servicer, _name, _answering(getattr(ProviderServicer, _name)))


def _init_failed(error: InitFailedError) -> tuple[tuple[str, bytes], ...]:
    """The engine keeps the object in the state with the reason, and the next `up` tries again.

    See `ErrorResourceInitFailed` in provider.proto and
    https://grpc.io/docs/guides/error/#richer-error-model.
    """
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id,
        properties=PropertyValue.marshal_map(error.outputs),
        inputs=PropertyValue.marshal_map(error.inputs),
        reasons=[str(error)],
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def _logger(engine: Any) -> Callable[[str, str, bool], Awaitable[None]]:
    async def log(urn: str, message: str, warning: bool) -> None:
        severity = proto.LogSeverity.WARNING if warning else proto.LogSeverity.INFO
        request = proto.LogRequest(
            severity=severity, message=message, urn=urn, ephemeral=not warning
        )
        # What cannot be shown must not end what is being done.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await engine.Log(request)

    return log


async def _serve(engine_address: str) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONNECTIONS))
    async with grpc.aio.insecure_channel(engine_address) as channel:
        provider = Kubernetes(_logger(engine_pb2_grpc.EngineStub(channel)))
        server = grpc.aio.server(options=_MESSAGES)
        servicer = Servicer([], VERSION, provider, engine_address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(port, flush=True)
        engine = os.getppid()
        while os.getppid() == engine:  # it ends us when it is done, unless it was killed itself
            await asyncio.sleep(1)


def main(arguments: list[str]) -> None:
    """Serve until the engine ends the process; the first argument is the engine's address."""
    if not arguments:
        sys.exit("pulumi-resource-kubernetes is started by Pulumi's engine, with its address.")
    # The engine ends us with an interrupt, which what a script has started in the background
    # ignores: then it would wait five seconds each time.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments[0]))
