"""An app that is told of findings by its own container: once each, and only once it listens."""

import signal
import subprocess
from pathlib import Path

import pytest

from components.parts import script
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

TOLD = "Received USR1: somebody else has changed my files"


class Pod:
    """The script, with an app, and the directories that both have in a pod."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.content, self.verdict, self.tmp = (
            shell,
            *(folder / name for name in ("content", "verdict", "t")),
        )
        for directory in (self.content, self.verdict, self.tmp):
            directory.mkdir(parents=True)

    def start(self, *app: str, interval: float = 0.2) -> subprocess.Popen[str]:
        command = [*app] or script("use-files", "main-app", self.content, "USR1", "60")
        _, *words = script(
            *("heed-verdict", "main-app", self.verdict, "USR1", interval, *command),
            uses=["watch", "handled"],
        )
        # Another folder in place of the container's own.
        words[1] = words[1].replace("/tmp/", f"{self.tmp}/")
        return self.shell.run("sh", *words)

    def find(self, *lines: str) -> None:
        """Publish findings as the scanner does."""
        new = self.verdict / "findings.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(self.verdict / "findings")

    def status(self) -> None:
        """Write what each scan writes, so that the script looks once more."""
        new = self.verdict / "status.new"
        new.touch()
        new.rename(self.verdict / "status")


@pytest.fixture
def pod(with_watcher: Shell, tmp_path: Path) -> Pod:
    return Pod(with_watcher, tmp_path / "pod")


def count(process: subprocess.Popen[str]) -> int:
    return log_of(process).count(TOLD)


def stays(process: subprocess.Popen[str], number: int) -> None:
    """The app is told so often and no more, though the script looks several times."""
    wait_for(lambda: count(process) == number, 8)
    with pytest.raises(AssertionError, match="not within"):
        wait_for(lambda: count(process) != number, 1.5)
    assert process.poll() is None


def test_each_new_finding_is_one_signal_and_the_end_of_one_is_none(pod: Pod) -> None:
    process = pod.start()
    stays(process, 0)
    pod.find("added x")
    stays(process, 1)
    pod.find("added x", "added y", "added z")
    stays(process, 2)
    pod.find("added z")
    stays(process, 2)
    pod.find()
    stays(process, 2)
    pod.find("added x")
    stays(process, 3)


def test_a_finding_is_told_at_once_where_the_image_can_watch(pod: Pod) -> None:
    process = pod.start(interval=3600)
    wait_for(lambda: "Working" in log_of(process))
    stays(process, 0)
    pod.find("added x")
    wait_for(lambda: count(process) == 1, 1)


def test_an_app_that_starts_anew_is_told_what_there_is(pod: Pod) -> None:
    pod.find("added x")
    process = pod.start()
    stays(process, 1)
    ends_within_a_second(process)
    stays(pod.start(), 1)


def test_a_line_that_is_part_of_another_one_is_new(pod: Pod) -> None:
    process = pod.start()
    pod.find("added x.y: found 1")
    stays(process, 1)
    pod.find("added x.y: found 1", "added x", "d")
    stays(process, 2)


def test_an_app_gets_no_signal_before_it_handles_it(pod: Pod) -> None:
    pod.find("added x")
    handle = f"sleep 2; trap 'echo {TOLD}' USR1; while :; do sleep 0.1; done"
    process = pod.start("sh", "-c", handle)
    stays(process, 1)


def test_an_app_that_never_handles_it_is_not_ended(pod: Pod) -> None:
    pod.find("added x")
    process = pod.start("sh", "-c", "echo mine; sleep 60")
    wait_for(lambda: "mine" in log_of(process))
    stays(process, 0)


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_as_the_app_ends(pod: Pod, code: int) -> None:
    process = pod.start("sh", "-c", f"sleep 0.3; exit {code}", interval=3600)
    assert process.wait(timeout=8) == code


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGQUIT])
def test_term_ends_the_app_and_then_the_container_within_a_second(
    pod: Pod, told: signal.Signals
) -> None:
    app = "trap 'echo ending; exit' TERM; while :; do sleep 0.1; done"
    process = pod.start("sh", "-c", app, interval=3600)
    wait_for((pod.tmp / "app").exists)
    wait_for(lambda: count(process) == 0)
    stays(process, 0)
    ends_within_a_second(process, told)
    assert "ending" in log_of(process)


def test_without_the_wrapper_an_app_of_its_own_says_what_it_works_with(
    with_watcher: Shell, tmp_path: Path
) -> None:
    (tmp_path / "content").mkdir()
    process = with_watcher.start("use-files", "main-app", tmp_path / "content", "HUP", "0.1")
    wait_for(lambda: "Working with 0 files" in log_of(process))
    (tmp_path / "content" / "one").touch()
    wait_for(lambda: "Working with 1 files" in log_of(process))
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: "Received HUP" in log_of(process))
    ends_within_a_second(process)
