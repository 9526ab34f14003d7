"""The throw-away stacks of the cluster's tests, as far as they need no cluster."""

import importlib
import socket
from concurrent import futures
from typing import Any

import grpc
import pytest
from pulumi.runtime import settings
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


def _engine(port: int) -> Any:
    # Importing it settles how this process talks to engines.
    importlib.import_module("tests.cluster.provider_stack")
    made: Any = settings.Settings("project", "stack", engine=f"127.0.0.1:{port}")
    return made.engine


def test_an_engine_on_the_port_of_one_that_has_ended_is_reached_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ended = _engine(port)
    with pytest.raises(grpc.RpcError):
        ended.GetRootResource(engine_pb2.GetRootResourceRequest())

    class Engine(engine_pb2_grpc.EngineServicer):
        def GetRootResource(self, request: Any, context: Any) -> Any:
            return engine_pb2.GetRootResourceResponse(urn="here")

    server = grpc.server(futures.ThreadPoolExecutor(1))
    engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        answer = _engine(port).GetRootResource(engine_pb2.GetRootResourceRequest())
    finally:
        server.stop(0)
    assert answer.urn == "here"
