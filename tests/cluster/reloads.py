"""nginx whose watched configuration a test writes itself, as an editor would."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from components.hot_reload import FILE, SOURCE
from tests.cluster.faults import Process, in_network, processes, root, within
from tests.cluster.patched import applied, container
from tests.cluster.project import Cluster, Object, Project, is_ready
from tools.programs import run

DEMO = "hot-reload"
_SETTLED_S = 0.25
"""Longer than old workers answer beside new ones, and than the sidecar looks which do: the next
change finds it with nothing else to do."""


def directives(text: str) -> str:
    """A configuration that answers with this text."""
    return f'location / {{ return 200 "{text}"; }}'


@dataclass(frozen=True)
class Watched:
    """A running demo whose configuration is a file that anybody may write."""

    process: Process
    """nginx's container."""

    write: Callable[[str], None]
    """Let nginx answer with a text: the file is written beside, then renamed."""

    def time(self, text: str) -> float:
        """Seconds from the changed file until clients are answered with this text, and no other.

        Old workers and new ones answer side by side for a tenth of a second, who of them by chance;
        when the first answer is new says little.
        https://github.com/nginx/nginx/blob/release-1.22.1/src/os/unix/ngx_process_cycle.c
        """
        ask = in_network(
            self.process, "curl", "--silent", "--max-time", "5", "http://127.0.0.1:8080/"
        )
        started = time.monotonic()
        self.write(text)
        new = None
        while new is None or time.monotonic() < new + _SETTLED_S:
            assert time.monotonic() < started + 10, text
            if run(*ask) != text:
                new = None
            elif new is None:
                new = time.monotonic()
        return new - started


@contextmanager
def watched(cluster: Cluster, project: Project) -> Generator[Watched]:
    """The demo once it is ready; it is removed in the end."""
    project.configure(demos={DEMO: {"directives": directives("of nobody")}})
    with applied(project, _writable, available=False):

        def started() -> Process | None:
            found = [processes(pod) for pod in cluster.pods(project.namespace)]
            return found[0].get("config-reloader") if found else None

        source = root(within(60, started)) / SOURCE.lstrip("/")

        def write(text: str) -> None:
            (source / "new").write_text(directives(text))
            (source / "new").rename(source / FILE)

        write("first")
        within(60, lambda: is_ready(cluster.pod(project.namespace, DEMO)))
        yield Watched(processes(cluster.pod(project.namespace, DEMO))["main-app"], write)


def _writable(_: str, spec: Object) -> None:
    """Let the test write what the sidecar watches."""
    for volume in spec["volumes"]:
        if volume["name"] == "source":
            volume.pop("configMap")
            volume["emptyDir"] = {"sizeLimit": "1Mi"}
    for mount in container(spec, "config-reloader")["volumeMounts"]:
        if mount["name"] == "source":
            mount["readOnly"] = False
