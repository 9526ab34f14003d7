"""An API server for scripts and programs that change their own pod: TLS, and a CA of its own."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Request:
    line: str
    headers: Mapping[str, str]
    body: Any


class ApiServer:
    """Serves on a free port of 127.0.0.1; `credentials` is what a pod would have mounted."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[Request] = []
        self.answers: list[tuple[int, str]] = []
        """Status and message of the next requests; 200 when there are none left."""
        self.pod = ""
        """What it answers where it does as it is asked, in place of a status."""
        self.delay = 0.0
        """Seconds before an answer."""
        self.port = 0
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        (self.credentials / "token").write_text("token-1")
        self._certificate = folder / "server.pem"
        _issue(self.credentials / "ca.crt", self._certificate)
        self._closing = threading.Event()

    def __enter__(self) -> "ApiServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self.stop()

    def start(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_PATCH(self) -> None:
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                outer.requests.append(Request(f"PATCH {self.path}", dict(self.headers), body))
                outer._closing.wait(outer.delay)
                code, message = outer.answers.pop(0) if outer.answers else (200, "ok")
                status = json.dumps({"kind": "Status", "message": message})
                answer = (outer.pod if code == 200 and outer.pod else status).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away in the middle is part of the tests."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self._running = True

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._server.shutdown()
            self._server.server_close()


def _issue(ca_file: Path, server_file: Path) -> None:
    """A certificate authority, and a certificate for 127.0.0.1 signed by it."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"CA {id(ca_key)}")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])

    def certificate(
        subject: x509.Name, subject_key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(subject_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca = certificate(ca_name, ca_key, x509.BasicConstraints(ca=True, path_length=0))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    server = certificate(name, key, x509.SubjectAlternativeName([address]))
    ca_file.write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server_file.write_bytes(private + server.public_bytes(pem))
