"""What programs that change what an nginx of their pod runs have in common."""

from pathlib import Path


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


def listen(port: int, option: str = "") -> str:
    """The directives for that port, over IPv6 too where there is IPv6."""
    both = ["", "[::]:"] if Path("/proc/net/if_inet6").exists() else [""]
    return "\n".join(f"listen {address}{port} {option};" for address in both)
