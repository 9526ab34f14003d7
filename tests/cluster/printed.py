"""All that a container prints, of each time that it is started: the kubelet keeps the last two."""

import os
import threading
from typing import Any

from tests.cluster.faults import output


class Printed:
    """Reads a container's output as the node has it, from now on, over restarts and rotations.

    Files that are open stay, whatever the kubelet does with their names.
    """

    def __init__(self, pod: Any, container: str) -> None:
        self._folder = output(pod, container)
        self._files: dict[int, tuple[str, Any, bytes]] = {}
        self._lines: dict[int, list[str]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._lock = threading.Lock()

    def __enter__(self) -> "Printed":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for entry in self._files.values():
            entry[1].close()

    @property
    def lines(self) -> list[str]:
        """What it has printed so far, whichever of its two outputs it went to."""
        with self._lock:
            return [line for lines in self._lines.values() for line in lines]

    @property
    def instances(self) -> set[str]:
        """Which of its instances have printed something."""
        with self._lock:
            return {entry[0].partition(".")[0] for entry in self._files.values()}

    def _run(self) -> None:
        while True:
            over = self._over.is_set()
            with self._lock:
                self._look()
            if over:
                return
            self._over.wait(0.1)

    def _look(self) -> None:
        for path in sorted(self._folder.glob("*.log*")) if self._folder.exists() else []:
            if path.suffix in (".gz", ".tmp"):
                continue
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            key = os.fstat(file.fileno()).st_ino
            if key in self._files:
                file.close()
            else:
                self._files[key], self._lines[key] = (path.name, file, b""), []
        for key, (name, file, part) in [*self._files.items()]:
            *whole, rest = (part + file.read()).split(b"\n")
            self._files[key] = name, file, rest
            for line in whole:
                # https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
                _, _, tag, text = line.decode().split(" ", 3)
                lines = self._lines[key]
                if lines and lines[-1].endswith("\0"):
                    lines[-1] = lines[-1][:-1] + text
                else:
                    lines.append(text)
                if tag == "P":
                    lines[-1] += "\0"
