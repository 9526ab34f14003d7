"""The engine ends its plugins with an interrupt, and waits five seconds for who ignores it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.paths import ROOT

HOST = (str(Path("tools", "language_host.py")),)
STANDIN = ("-m", "tools.provider", "127.0.0.1:1")


@pytest.mark.parametrize("words", [HOST, STANDIN])
def test_a_plugin_ends_at_an_interrupt_that_its_parents_ignore(words: tuple[str, ...]) -> None:
    # As a shell does it for what it starts in the background.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        plugin = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with plugin:
        assert plugin.stdout is not None
        assert int(plugin.stdout.readline())
        plugin.send_signal(signal.SIGINT)
        try:
            plugin.communicate(timeout=30)
        finally:
            plugin.kill()
