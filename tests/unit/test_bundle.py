"""What bundles may have in them, whatever the Python that unpacks them leaves to others."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from components.programs.bundle import RefusedError, keep, remove_but, switch, verify

ENTRY, MOST = "plugin.sh", 1 << 20
MORE = "it has more than files and directories of its own: "


def file(name: str, text: bytes = b"x", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(text), mode, 1_000_000_000
    return member, text


def other(
    name: str, kind: bytes, target: str = "", mode: int = 0o755
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, target, mode
    return member, b""


def archived(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, text in [*members, file(ENTRY, b"echo plug-in")]:
            archive.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


@pytest.fixture(params=["data", "none"])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bytes], Path]:
    """Keeps a bundle, with tarfile's own filter and without it, as Python before 3.11.4 has it."""
    if request.param == "none":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    (tmp_path / "plugins").mkdir()

    def keeps(packed: bytes) -> Path:
        (tmp_path / "bundle").write_bytes(packed)
        keep(tmp_path / "bundle", tmp_path / "plugins" / "one", ENTRY, MOST)
        return tmp_path / "plugins" / "one"

    return keeps


def refused(kept: Callable[[bytes], Path], packed: bytes, folder: Path) -> str:
    """Why it is refused, which leaves nothing."""
    with pytest.raises(RefusedError) as error:
        kept(packed)
    assert {path.name for path in folder.iterdir()} <= {"bundle", "plugins"}
    assert not list((folder / "plugins").iterdir())
    return str(error.value)


def test_files_are_as_they_were_packed(kept: Callable[[bytes], Path]) -> None:
    members = [other("./", tarfile.DIRTYPE), file("./sub/text"), file("tool", mode=0o755)]
    folder = kept(gzip.compress(archived(*members)))
    assert (folder / "sub" / "text").read_text() == "x"
    assert (folder / "sub" / "text").stat().st_mtime == 1_000_000_000
    assert os.access(folder / "tool", os.X_OK)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o4755, 0o2777, 0o666])
def test_what_others_may_do_is_not_up_to_a_bundle(kept: Callable[[bytes], Path], mode: int) -> None:
    members = [other("sub", tarfile.DIRTYPE, mode=mode), file("sub/text", mode=mode)]
    folder = kept(gzip.compress(archived(*members)))
    assert (folder / "sub").stat().st_mode & 0o7777 == 0o755
    assert (folder / "sub" / "text").stat().st_mode & 0o7777 in (0o644, 0o755)


@pytest.mark.parametrize(
    "member",
    [
        file("/tmp/evil"),
        file("../evil"),
        file("a/../../evil"),
        file("a/.."),
        other("..", tarfile.DIRTYPE),
        other("link", tarfile.SYMTYPE, "/etc"),
        other("link", tarfile.SYMTYPE, ENTRY),
        other("link", tarfile.LNKTYPE, "/etc/passwd"),
        other("link", tarfile.LNKTYPE, ENTRY),
        other("it", tarfile.FIFOTYPE),
        other("it", tarfile.CHRTYPE),
        other("it", tarfile.BLKTYPE),
        other("it", tarfile.GNUTYPE_SPARSE),
        other("it", b"V"),
    ],
    ids=lambda member: f"{member[0].name}, type {member[0].type.decode()}",
)
def test_more_than_files_and_directories_of_its_own_is_refused(
    kept: Callable[[bytes], Path], tmp_path: Path, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    reason = refused(kept, gzip.compress(archived(file("first"), member)), tmp_path)
    # tarfile itself knows nothing of what follows a sparse file's header here.
    assert reason.startswith(MORE)
    assert repr(member[0].name) in reason


def test_a_file_with_holes_is_refused_whatever_size_it_claims(
    kept: Callable[[bytes], Path], tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member, _ = file("holes", b"")
        member.pax_headers = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,0"}
        archive.addfile(member)
    assert refused(kept, gzip.compress(buffer.getvalue()), tmp_path).startswith(MORE)


def test_a_path_twice_is_the_later_one_and_of_two_kinds_is_refused(
    kept: Callable[[bytes], Path], tmp_path: Path
) -> None:
    both = archived(file("a"), file("a/b"))
    assert refused(kept, gzip.compress(both), tmp_path).startswith("tar: ")
    folder = kept(gzip.compress(archived(file("a", mode=0o400), file("a", b"later"))))
    assert (folder / "a").read_text() == "later"


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(archived(file("large", bytes(MOST)))),
        gzip.compress(archived() + bytes(MOST)),
        gzip.compress(archived(*(file(f"{number}", b"") for number in range(MOST // 512)))),
        # A header that says how long the next one is, which tarfile reads at once.
        gzip.compress(archived(file("name" * (MOST // 4)))),
    ],
    ids=["a file", "what follows", "many files", "a name"],
)
def test_what_gets_too_large_is_refused(
    kept: Callable[[bytes], Path], tmp_path: Path, packed: bytes
) -> None:
    assert len(packed) < MOST // 8
    reason = f"it unpacks to more than {MOST} bytes"
    assert refused(kept, packed, tmp_path) == reason


def damaged(archive: bytes, offset: int) -> bytes:
    return archive[:offset] + b"\xff" * 8 + archive[offset + 8 :]


WHOLE = archived(file("first", b"x" * 5000), file("second", b"y" * 5000))
SECOND = WHOLE.index(b"second")


PACKED = gzip.compress(WHOLE)
BROKEN = {
    "nothing": b"",
    "no gzip": b"no archive",
    "nothing packed": gzip.compress(b""),
    "no tar": gzip.compress(b"no archive" * 100),
    "not packed": WHOLE,
    "cut off": PACKED[:-20],
    "checksum cut off": PACKED[:-4],
    "another checksum": damaged(PACKED, len(PACKED) - 8),
    "more behind it": PACKED + b"more",
    "packed without the end of a file": gzip.compress(WHOLE[: SECOND - 100]),
    "packed without the end of a header": gzip.compress(WHOLE[: SECOND + 100]),
    "packed without much of a file": gzip.compress(WHOLE[: SECOND + 1000]),
    "another name": gzip.compress(damaged(WHOLE, SECOND)),
    "another size": gzip.compress(damaged(WHOLE, SECOND + 124)),
}


@pytest.mark.parametrize("packed", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_whole_is_refused(
    kept: Callable[[bytes], Path], tmp_path: Path, packed: bytes
) -> None:
    assert refused(kept, packed, tmp_path).startswith("tar: ")


def test_an_archive_without_its_last_blocks_is_whole(kept: Callable[[bytes], Path]) -> None:
    """As tar has it: the end of the file is one too."""
    folder = kept(gzip.compress(WHOLE.rstrip(b"\0") + bytes(512 - len(b"echo plug-in"))))
    assert (folder / ENTRY).read_text() == "echo plug-in"


def test_an_entry_must_be_a_file(kept: Callable[[bytes], Path], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(other(ENTRY, tarfile.DIRTYPE)[0])
    assert refused(kept, buffer.getvalue(), tmp_path) == f"it has no {ENTRY}"


def test_what_an_earlier_attempt_has_left_is_no_part_of_a_bundle(
    kept: Callable[[bytes], Path], tmp_path: Path
) -> None:
    (tmp_path / "plugins" / ".part").mkdir()
    (tmp_path / "plugins" / ".part" / "left").touch()
    folder = kept(gzip.compress(archived()))
    assert [path.name for path in folder.iterdir()] == [ENTRY]
    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["one"]


def test_another_digest_is_told_with_the_wanted_one(tmp_path: Path) -> None:
    bundle, digest = tmp_path / "bundle", hashlib.sha256(b"text").hexdigest()
    bundle.write_bytes(b"text")
    verify(bundle, digest, 9)
    for size, cut in ((0, ""), (4, ""), (9, "truncated, 4 of 9 bytes: ")):
        with pytest.raises(RefusedError) as error:
            verify(bundle, "0" * 64, size)
        assert str(error.value) == f"{cut}sha256 is {digest}, wanted {'0' * 64}"


def test_a_switch_leaves_the_old_target_and_no_link_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    # What an attempt that was killed has left.
    (tmp_path / "current.new").symlink_to("nowhere")
    switch(tmp_path / "current", "one")
    switch(tmp_path / "current", "two")
    assert (tmp_path / "current").readlink() == Path("two")
    remove_but(tmp_path, {"one", "two"})
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "current", "file"}
