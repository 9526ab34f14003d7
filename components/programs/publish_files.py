"""publish-files SOURCE CONTENT NOTED INTERVAL: keep the files in CONTENT as the mounted ConfigMap
SOURCE has them: each in one step, those that it has no more removed, what others put there left
alone. A version is published once, and not before the scanner has put it into the file NOTED:
nothing that it does not know yet is there for it to find. /tmp/done says which, /tmp/published
which files it may remove. A new version is seen at once, in INTERVAL seconds at the latest.
"""

import os
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from .basics import end_when_told, publish, say, text_of
from .changes import Changes
from .contested import NEW, careful
from .mounted import texts_of, version_of

DONE, PUBLISHED = Path("/tmp/done"), Path("/tmp/published")


def publish_all(texts: dict[str, bytes], content: Path) -> bool:
    """Put all files there and remove those of versions before. False if some of that fails."""
    before = text_of(PUBLISHED).split()
    # If it is ended midway, the next one may remove these too.
    if not _note({*before, *texts}):
        return False
    complete = True
    for name, text in texts.items():
        complete = _put(content / name, text) and complete
    for name in {*before} - {*texts}:
        complete = _remove(content / name) and complete
    return complete and _note(texts)


def _note(names: Iterable[str]) -> bool:
    return publish(PUBLISHED, "".join(f"{name}\n" for name in names))


def _put(file: Path, text: bytes) -> bool:
    """Put the text there. What is there is replaced by a rename: nothing is written to, nothing
    followed, and no directory moved into."""
    if _has(file, text):
        return True
    new = file.with_name(NEW)
    try:
        try:
            new.unlink(missing_ok=True)
        except IsADirectoryError:
            # Whoever made it could fill it while it is emptied.
            new.rename(f"{new}-{time.time_ns()}")
        with new.open("xb") as writing:
            writing.write(text)
        new.replace(file)
    except OSError as error:
        print(f"cannot publish {file}: {error.strerror}", file=sys.stderr, flush=True)
        return False
    return True


def _has(file: Path, text: bytes) -> bool:
    """Whether it is there already, as it is to be."""
    try:
        with open(file, "rb", buffering=0, opener=careful) as there:
            mode = os.fstat(there.fileno()).st_mode
            return mode == stat.S_IFREG | 0o644 and there.read(len(text) + 1) == text
    except OSError:
        return False


def _remove(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        print(f"cannot remove {file}: {error.strerror}", file=sys.stderr, flush=True)
        return False
    return True


def main(source: str, content: str, noted: str, interval: str) -> None:
    """Publish version after version until told to end."""
    end_when_told()
    os.umask(0o022)
    changes = Changes(Path(source))
    waiting = ""
    while True:
        version = version_of(Path(source))
        if version == text_of(DONE).strip():
            changes.wait(float(interval))
        elif version != text_of(Path(noted)).strip():
            if waiting != version:
                say(f"waiting for the scanner to know {version}")
            waiting = version
            time.sleep(1)
        else:
            texts = texts_of(Path(source), version)
            if texts is None or not (
                publish_all(texts, Path(content)) and publish(DONE, f"{version}\n")
            ):
                say(f"cannot publish all of {version}, trying again")
                time.sleep(5)
            else:
                say(f"published {' '.join(sorted(texts))}")


if __name__ == "__main__":
    main(*sys.argv[2:])
