"""What scripts that wait for changes can rely on, under each shell and with each watcher."""

import signal
import subprocess
from pathlib import Path

import pytest

from components.parts import script
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

LOOK = 'watch "$1" "$2"; echo ready; while change; do echo "seen $(cat "$1/file")"; done'


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A directory with a file, as a volume."""
    folder = tmp_path / "volume"
    folder.mkdir()
    (folder / "file").write_text("first")
    return folder


def start(shell: Shell, watched: Path, seconds: float) -> subprocess.Popen[str]:
    # The scripts' own library, in a folder of this test's instead of /tmp.
    library = script("serve-config", "x", uses=["watch"])[2].partition("while [ ! -e")[0]
    library = library.replace("/tmp/", f"{watched.parent}/")
    return shell.run("sh", "-c", f"{library}\n{LOOK}", "x", str(watched), str(seconds))


def swap(watched: Path, text: str) -> None:
    """Put a file in place as the kubelet does: in a new directory, behind a symbolic link."""
    new = watched / f"..{text}"
    new.mkdir()
    (new / "file").write_text(text)
    (watched / "..data_tmp").symlink_to(new.name)
    (watched / "..data_tmp").rename(watched / "..data")
    if not (watched / "file").is_symlink():
        (watched / "file").unlink()
        (watched / "file").symlink_to("..data/file")


def test_a_file_that_is_written_is_seen_at_once(with_watcher: Shell, watched: Path) -> None:
    process = start(with_watcher, watched, 3600)
    wait_for(lambda: "ready" in log_of(process))
    for number in range(20):
        (watched / "file").write_text(f"version {number}")
        wait_for(lambda number=number: f"seen version {number}\n" in log_of(process), 1)


def test_a_file_that_is_renamed_into_place_is_seen_at_once(
    with_watcher: Shell, watched: Path
) -> None:
    process = start(with_watcher, watched, 3600)
    wait_for(lambda: "ready" in log_of(process))
    for number in range(20):
        (watched / "new").write_text(f"version {number}")
        (watched / "new").rename(watched / "file")
        wait_for(lambda number=number: f"seen version {number}\n" in log_of(process), 1)


def test_the_kubelets_swap_is_seen_again_and_again(with_watcher: Shell, watched: Path) -> None:
    swap(watched, "initial")
    process = start(with_watcher, watched, 3600)
    wait_for(lambda: "ready" in log_of(process))
    for number in range(20):
        swap(watched, f"version-{number}")
        wait_for(lambda number=number: f"seen version-{number}\n" in log_of(process), 1)


def test_an_image_without_a_watcher_is_said_and_looks_every_so_often(
    busybox_path: str, tmp_path: Path, watched: Path
) -> None:
    shell = Shell(busybox_path, tmp_path)
    try:
        process = start(shell, watched, 0.2)
        wait_for(lambda: "neither inotifyd nor inotifywait" in log_of(process))
        (watched / "file").write_text("later")
        wait_for(lambda: "seen later" in log_of(process))
    finally:
        shell.stop()


def test_a_watch_that_has_died_costs_time_and_nothing_else(
    with_watcher: Shell, watched: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "inotifywait").unlink()
    (tmp_path / "bin" / "inotifywait").symlink_to("/bin/false")
    process = start(with_watcher, watched, 0.2)
    wait_for(lambda: "ready" in log_of(process))
    (watched / "file").write_text("later")
    wait_for(lambda: "seen later" in log_of(process))


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_a_script_that_waits_ends_at_once_when_told_to(
    with_watcher: Shell, watched: Path, told: signal.Signals
) -> None:
    process = start(with_watcher, watched, 3600)
    wait_for(lambda: "ready" in log_of(process))
    ends_within_a_second(process, told)
