"""Pulumi's language host for Python, for a CLI that was built from source.

Made of the SDK's own server, which the Automation API uses for inline programs:
here the program is the directory that the engine names, and a policy pack, too.
The official CLI ships the full host, which sets up virtual environments too.
"""

import os
import runpy
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


class _Host(LanguageServer):
    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Run(self, request: Any, context: Any) -> Any:
        directory = request.info.program_directory or request.pwd

        def program() -> None:
            runpy.run_path(directory, run_name="__main__")

        self.program = program
        return cast(Any, super()).Run(request, context)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Run a policy pack, which is a program of its own, and pass on what it prints."""
        process = subprocess.Popen(
            [sys.executable, "-u", request.info.program_directory, *request.args],
            cwd=request.pwd,
            env=dict(item.split("=", 1) for item in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # The engine ends it by ending its call.
        context.add_callback(process.kill)
        with process, selectors.DefaultSelector() as pipes:
            for name in ("stdout", "stderr"):
                pipes.register(getattr(process, name), selectors.EVENT_READ, name)
            while pipes.get_map():
                for pipe, _ in pipes.select():
                    read = os.read(pipe.fd, 65536)
                    if read and pipe.data == "stdout":
                        yield language_pb2.RunPluginResponse(stdout=read)
                    elif read:
                        yield language_pb2.RunPluginResponse(stderr=read)
                    else:
                        pipes.unregister(pipe.fileobj)
        yield language_pb2.RunPluginResponse(exitcode=process.returncode)


def main() -> None:
    """Serve at a port of our own, which the engine reads from standard output."""
    # Plan files and large stacks outgrow gRPC's default of 4 MB; Pulumi's own limit.
    limit = 400 * 1024 * 1024
    server = grpc.server(
        ThreadPoolExecutor(max_workers=16),
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
        ],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(_Host(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    engine = os.getppid()
    with suppress(KeyboardInterrupt):
        # The engine ends its plugins with an interrupt, unless it was killed itself. What a script
        # has started in the background ignores interrupts: the engine would wait five seconds.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        while os.getppid() == engine:
            server.wait_for_termination(timeout=1)
        # At once: the program may wait for answers that never come.
        os._exit(1)


if __name__ == "__main__":
    main()
