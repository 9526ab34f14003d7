"""process-log LOG STATE OUTPUT MAX_SIZE INTERVAL NAMES: print what an app appends to LOG as JSON,
secrets after one of NAMES masked, from the place on that is kept in the directory STATE, through
the directory OUTPUT, which is in memory. From MAX_SIZE bytes on, have TARGET open LOG anew, and
remove what has been printed whole. Looks every INTERVAL seconds. Told to end, it goes on until
TARGET is gone and all is printed.
"""

import os
import signal
import stat
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .contested import careful
from .masks import Masks
from .place import Place
from .printer import PAGE, Printer
from .processes import PROC, catches, find, pids, send, targets
from .records import WINDOW, Line, lines_of, record, remark

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

LOOKS = 20
"""How often processes are listed to find those that came while others were looked at."""


class LogProcessor:
    """Follows the app's file over rotations. LOG is renamed to LOG.GENERATION, the app opens
    another, and what has been renamed is removed once it is printed and nobody writes to it.

    Each step goes by which files there are, so one that was cut short is found as it was left.
    """

    def __init__(
        self,
        log: Path,
        state: Path,
        output: Path,
        max_size: int,
        interval: float,
        names: str,
        target: str,
    ) -> None:
        self._log, self._state, self._output = log, state, output
        self._max_size, self._interval, self._target = max_size, interval, target
        self._masks, self._place = Masks(names), Place(state / "position")
        self._printer = Printer(output / "last")
        if self._place.end > self._place.position and self._printer.had_printed():
            self._place.position = self._place.end
        self._ending = self._gone = False
        self._waits = 0

    def run(self) -> None:
        self._keep()
        self._tidy()
        remark("INFO", f"begins at {self._place}")
        goes_on, said = True, ""
        while goes_on:
            try:
                goes_on, said = self._step(), ""
            except OSError as error:
                if said != str(error):
                    said = str(error)
                    remark("ERROR", said)
                # Without a file there is nothing to be printed.
                goes_on = not self._gone or any(map(is_file, (self._renamed, self._log)))
                if goes_on:
                    self._pause(0.2 if self._ending else self._interval)
        remark("INFO", f"ends at {self._place}")

    def _step(self) -> bool:
        """What is to be done next. False if that was the last of it."""
        # Before looking at the files: who is gone then, writes no more.
        self._gone = self._ending and not targets(self._target)
        if self._renamed.exists():
            self._retire(self._renamed)
            return True
        if os.path.lexists(self._log):
            self.follow(self._log, last=self._gone)
        elif self._place.position and not self._gone:
            self._begin()
        if self._gone:
            return False
        if self._due(self._log):
            self._log.rename(self._renamed)
        else:
            self._pause(0.2 if self._ending else self._interval)
        return True

    def _due(self, file: Path) -> bool:
        """Whether it is the app's, which is there to open another, and large enough for that."""
        return not self._gone and file == self._log and self._place.position >= self._max_size

    def follow(self, file: Path, last: bool = False) -> None:
        """Print what the file has, or what it has until it is due to be rotated."""
        with open(file, "rb", buffering=0, opener=only_file) as opened:
            while not self._due(file):
                if os.fstat(opened.fileno()).st_size < self._place.position:
                    lost = "what was not printed by then is lost"
                    remark("ERROR", f"{file} became shorter: {lost}")
                    self._begin()
                data = os.pread(opened.fileno(), WINDOW, self._place.position)
                end = self._place.position + len(data)
                self._print(lines_of(data, self._masks, last))
                if len(data) < WINDOW:
                    if self._place.seen != end:
                        self._place.seen = end
                        self._keep()
                    return

    def _print(self, lines: Iterable[Line]) -> None:
        """As many lines at once as fit in a page."""
        records, end = b"", self._place.position
        for line in lines:
            new = record(line, f"{self._place.generation}:{end}", self._masks)
            if records and len(records) + len(new) > PAGE:
                self._put(records, end)
                records = b""
            records += new
            end += line.size
        if records:
            self._put(records, end)

    def _put(self, records: bytes, end: int) -> None:
        """Print what comes from the place to this end of it: who is killed meanwhile finds the end
        kept, and whether that was before the records were printed or after.
        """
        while True:
            try:
                self._printer.ready(records)
                break
            except OSError as error:
                self._fail(f"cannot write to {self._output}: {error.strerror}")
        self._place.end = end
        self._keep()
        while records:
            try:
                records = records[self._printer.print(records) :]
            except OSError as error:
                self._fail(f"cannot print: {error.strerror}")
        self._place.position = self._place.seen = end
        self._keep()

    def _keep(self) -> None:
        """However long that takes: what can't be kept would be printed again."""
        while True:
            try:
                self._place.keep()
                return
            except OSError:
                self._fail(f"cannot write to {self._state}")

    def _begin(self) -> None:
        """The place is the beginning of the next file."""
        self._place.generation += 1
        self._place.position = self._place.seen = self._place.end = 0
        self._keep()
        self._tidy()

    def _tidy(self) -> None:
        """Remove what has been printed whole."""
        for file in self._log.parent.glob(f"{self._log.name}.[0-9]*"):
            try:
                if file != self._renamed:
                    file.unlink()
            except OSError as error:
                remark("ERROR", f"cannot remove {file}: {error.strerror}")

    @property
    def _renamed(self) -> Path:
        return self._log.with_name(f"{self._log.name}.{self._place.generation}")

    def _retire(self, file: Path) -> None:
        """Print what the file has, which has been renamed, and be done with it once nobody writes
        to it.
        """
        if not is_file(file):
            remark("ERROR", f"{file} is no file: nothing of it is printed")
            self._begin()
        elif not self._log.exists() and targets(self._target):
            self._ask()
            self.follow(file)
            asked = f"{self._target} does not open {self._log} anew on USR1"
            self._delay(f"{asked}: it grows on as {file}")
        elif written(file):
            self.follow(file)
            self._delay(f"{file} is still open for writing: what comes after it waits")
        else:
            self.follow(file, last=True)
            self._begin()
            self._waits = 0

    def _ask(self) -> None:
        """Have the app open its file anew, if it won't die of that: it may have just started."""
        with suppress(LookupError, OSError):
            app = find(self._target)
            if catches(app.pid, "USR1"):
                send(app, signal.SIGUSR1)

    def _delay(self, reason: str) -> None:
        """Wait for what should be a matter of moments, and say so if it isn't."""
        self._waits += 1
        if self._waits == 10:
            remark("WARN", reason)
        self._pause(0.2 if self._waits < 10 else self._interval)

    def _fail(self, text: str) -> None:
        remark("ERROR", text)
        self._pause(self._interval)

    def _pause(self, seconds: float) -> None:
        """Signals wait for this, so that none comes between two steps that belong together."""
        if self._ending:
            time.sleep(seconds)
        else:
            self._ending = signal.sigtimedwait(ENDS, seconds) is not None


def is_file(path: Path) -> bool:
    """Whether it is a file itself, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def only_file(path: str, flags: int) -> int:
    """Opens for `open`. Raises OSError for anything but a file: a pipe has no place to go on from,
    and a link may lead to what is none of the app's.
    """
    if is_file(Path(path)):
        descriptor = careful(path, flags)
        # Something else may have come in between.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    raise OSError(f"{path} is no file")


def written(file: Path) -> bool:
    """Whether a process has the file open for writing, or may have: one that ends hands it on to
    a child that was not there yet when the processes were listed.
    """
    seen = set[int]()
    for _ in range(LOOKS):
        new = {*pids()} - seen
        if any(writes(pid, file) for pid in new):
            return True
        if not new:
            return False
        seen |= new
    return True


def writes(pid: int, file: Path) -> bool:
    """Whether the process has the file open for writing."""
    with suppress(OSError):
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                mode = descriptor.lstat().st_mode
                if mode & stat.S_IWUSR and descriptor.readlink() == file:
                    return True
    return False


def main(log: str, state: str, output: str, max_size: str, interval: str, names: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    directories = Path(state), Path(output)
    target = os.environ["TARGET"]
    LogProcessor(Path(log), *directories, int(max_size), float(interval), names, target).run()


if __name__ == "__main__":
    main(*sys.argv[2:])
