"""keep-token SOURCE LIVE PORT GENERATION_PORT OVERLAP INTERVAL: let nginx at PORT answer those who
show the token in the file SOURCE, and for OVERLAP seconds those who show a former one. A new
token is accepted beside the former ones; once nothing but that is served, LIVE/status says so.
What a token is stands in the files of LIVE alone: in no log, no argument, no environment.
"""

import os
import sys
import time
from pathlib import Path

from .basics import Report, end_when_told, publish, uptime
from .changes import Changes
from .nginx import generation_server, listen, nginx_config, serves
from .tokens import Token, current, listed, remembered, settled, told, wrong

OLD_WORKERS = 11
"""Seconds after which the workers that a reload has replaced are gone: they go on for 10 s with
what was begun there."""


def configuration(tokens: list[Token], port: str, generation_port: str, generation: str) -> str:
    """All of nginx's configuration."""
    # Texts ignore case in a map, and expressions don't.
    accepted = "\n".join(rf'    "~^(?i:Bearer) +\Q{token.value}\E$" yes;' for token in tokens)
    return nginx_config(
        "/tmp/nginx.pid",
        rf"""
  map $http_authorization $accepted {{
{accepted}
  }}
  {generation_server(generation_port, generation)}
  server {{
    {listen(port)}
    location / {{
      if ($accepted = '') {{
        add_header WWW-Authenticate Bearer always;
        return 401;
      }}
      return 200 'Hello\n';
    }}
  }}""",
    )


def offered(source: Path) -> str:
    """What the Secret has, nothing if there is nothing."""
    try:
        return source.read_bytes().decode(errors="replace").rstrip("\n")
    except OSError:
        return ""


def main(
    source: str, live: str, port: str, generation_port: str, overlap: str, interval: str
) -> None:
    # Files are for this user alone, who is nginx's too.
    os.umask(0o077)
    end_when_told()
    file, folder = Path(source), Path(live)
    changes, report = Changes(file.parent), Report(folder / "status")
    tokens, in_force = remembered(folder / "tokens"), False
    while True:
        now, value = uptime(), offered(file)
        reason = wrong(value)
        wanted = current(tokens, now, "" if reason else value)
        if wanted and not (in_force and wanted == tokens):
            # Who has had no configuration yet has no worker of a former one.
            first = not (folder / "nginx.conf").exists()
            # A time, which says nothing of a token, and so fine that none is told twice.
            generation = f"{now:.6f}"
            text = configuration(wanted, port, generation_port, generation)
            if publish(folder / "tokens", listed(wanted)) and publish(folder / "nginx.conf", text):
                tokens, in_force = wanted, serves(generation_port, generation)
                if in_force:
                    time.sleep(0 if first else OLD_WORKERS)
                    tokens = settled(tokens, uptime(), int(overlap))
                    publish(folder / "tokens", listed(tokens))
                else:
                    report("nginx has not taken up a change yet; what it accepts stays")
                continue
        problem = f"the token in the Secret {reason}; " if reason else ""
        report(f"{problem}{told(tokens)}")
        ends = [token.end - now for token in tokens if token.end > now]
        changes.wait(min([int(interval), *ends]))


if __name__ == "__main__":
    main(*sys.argv[2:])
