"""What nginx needs to serve a certificate, and which one it serves."""

import ssl
from pathlib import Path

from .nginx import listen, nginx_config


def tls_config(port: int, pem: Path) -> str:
    """A whole configuration of nginx with certificate and key in one file."""
    return nginx_config(
        "/tmp/nginx.pid",
        f"""
  server {{
    {listen(port, "ssl")}
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location / {{ return 200 "Hello\\n"; }}
  }}""",
    )


def served_certificate(port: int) -> str:
    """The certificate that nginx serves, nothing if it doesn't run."""
    try:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
    except OSError:
        return ""
