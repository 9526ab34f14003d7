"""What programs that change what an nginx of their pod runs have in common."""

import socket
import time
from contextlib import suppress
from pathlib import Path

TAKE_UP = 5
"""Seconds that nginx has to load a configuration."""


def nginx_config(pid_file: str, directives: str, seconds: int = 10) -> str:
    """A whole configuration with these directives in its http block.

    Whatever nginx writes is under /tmp, so that any nginx image runs as any user on a read-only
    root. Workers that a reload has replaced end within so many seconds.
    """
    return f"""
daemon off;
worker_processes 1;
worker_shutdown_timeout {seconds}s;
pid {pid_file};
error_log /dev/stderr warn;
events {{}}
http {{
  access_log off;
  default_type text/html;
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  {directives}
}}
"""


def listen(port: int | str, option: str = "") -> str:
    """The directives for that port, over IPv6 too where there is IPv6."""
    both = ["", "[::]:"] if Path("/proc/net/if_inet6").exists() else [""]
    return "\n".join(f"listen {address}{port} {option};" for address in both)


def generation_server(port: str, generation: str) -> str:
    """A server that tells this pod's containers, and nobody else, which configuration nginx has
    loaded.
    """
    return f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{generation}"; }} }}'


def served(port: str) -> str:
    """The generation that nginx serves, nothing if it doesn't run."""
    answer = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as nginx:
        nginx.sendall(b"GET / HTTP/1.0\r\n\r\n")
        # Another container of the pod may listen there, and never come to an end.
        end = time.monotonic() + 1
        while len(answer) < 4096 and time.monotonic() < end and (part := nginx.recv(4096)):
            answer += part
    head, _, generation = answer.partition(b"\r\n\r\n")
    return generation.decode(errors="replace") if b" 200 " in head.partition(b"\r\n")[0] else ""


def serves(port: str, generation: str) -> bool:
    """Wait until nginx serves that generation: true if it does within TAKE_UP."""
    end = time.monotonic() + TAKE_UP
    while served(port) != generation:
        if time.monotonic() > end:
            return False
        # Nothing tells when a reload is over.
        time.sleep(0.1)
    return True
