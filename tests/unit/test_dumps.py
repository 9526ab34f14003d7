"""What a dump has, how much at most, and that half a process makes none fail."""

import os
import socket
import sys
from pathlib import Path

import pytest

from components.programs import dumps
from components.programs.dumps import connections, discard, dump, family, keep_newest
from tests.unit.shell import Shell, wait_for


def test_connections_are_readable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"Hello")
            its = client.getsockname()[1]
            seen = [*connections()]
    assert f"1 0 127.0.0.1:{port} 0.0.0.0:0 LISTEN" in seen
    assert f"5 0 127.0.0.1:{port} 127.0.0.1:{its} ESTABLISHED" in seen
    assert not [line for line in seen if "TIME_WAIT" in line]


TABLE = """\
  sl  local_address                         remote_address                        st queues ...
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A \
00000000:00000003 00:00000000 00000000 0
   1: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C350 08 \
00000002:00000001 00:00000000 00000000 0
   2: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C351 06 \
00000000:00000000 00:00000000 00000000 0
   3: B80D0120000000000000000001000000:1F90 0000000000000000FFFF00000100007F:C351 0E \
00000000:00000000 00:00000000 00000000 0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the table is a little-endian machine's")
def test_connections_of_both_kinds_are_those_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "PROC", tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text("head\n")
    (tmp_path / "net" / "tcp6").write_text(TABLE)
    assert [*connections()][1:] == [
        "3 0 :::8080 :::0 LISTEN",
        "1 2 ::ffff:127.0.0.1:8080 ::ffff:127.0.0.1:50000 CLOSE_WAIT",
        "0 0 2001:db8::1:8080 ::ffff:127.0.0.1:50001 0E",
    ]


def test_a_dump_is_no_larger_than_its_share_of_the_volume(host: Shell, tmp_path: Path) -> None:
    # Many open files with long names, some of which are no text.
    code = """
import os, sys, time
folder = os.fsencode(sys.argv[1]) + b"/" + b"/".join([b"\\xff" + b"x" * 200] * 9)
os.makedirs(folder)
files = [open(folder + b"/%d" % i, "w") for i in range(300)]
if os.fork():
    print("ready", flush=True)
time.sleep(60)
"""
    process = host.run(sys.executable, "-c", code, str(tmp_path))
    wait_for(lambda: "ready" in (tmp_path / "log-0").read_text())
    file = tmp_path / "dump.txt"
    assert dump(process.pid, file, "heading")
    text = file.read_text()
    assert 250_000 < file.stat().st_size <= 262144
    assert text.startswith(f"heading\n\n== process {process.pid}: {sys.executable} -c  import os")
    assert "/�xxx" in text
    assert text.count("== process ") == 1
    first, _, rest = text.partition("-- open files\n")
    assert "-- threads\n" in first
    assert len(rest.splitlines()) < 200


def test_a_part_of_a_dump_has_no_more_than_its_lines(host: Shell, tmp_path: Path) -> None:
    code = "import time; files = [open('/dev/null') for _ in range(300)]; time.sleep(60)"
    process = host.run(sys.executable, "-c", code)
    folder = Path(f"/proc/{process.pid}/fd")
    wait_for(lambda: len([*folder.iterdir()]) > 300)
    file = tmp_path / "dump.txt"
    assert dump(process.pid, file, "heading")
    files, end, limits = file.read_text().partition("-- open files\n")[2].partition("-- limits\n")
    assert (len(files.splitlines()), end) == (200, "-- limits\n")
    assert "Max open files" in limits
    assert "-- TCP connections of the pod\n" in limits


def test_a_process_that_has_ended_leaves_a_dump_of_what_can_be_seen(tmp_path: Path) -> None:
    file = tmp_path / "dump.txt"
    assert dump(2**22 + 1, file, "heading")
    head, _, pod = file.read_text().partition("-- TCP connections of the pod\n")
    parts = "-- status\n-- threads\n-- open files\n-- limits\n"
    assert head == f"heading\n\n== process 4194305: \n{parts}\n"
    assert pod.startswith("Recv-Q Send-Q Local-Address Foreign-Address State\n")


def test_the_family_has_each_once_parents_first(host: Shell) -> None:
    process = host.run("sh", "-c", "sh -c 'sleep 60 & sleep 60; :'; :")
    wait_for(lambda: len(family(process.pid)) == 4)
    found = family(process.pid)
    assert found[0] == process.pid
    assert os.getpid() not in found
    names = [Path(f"/proc/{pid}/comm").read_text() for pid in found]
    assert names == ["sh\n", "sh\n", "sleep\n", "sleep\n"]


def test_the_newest_dumps_are_kept_also_if_the_clock_was_set_back(tmp_path: Path) -> None:
    for name in "bcd":
        (tmp_path / f"{name}.txt").touch()
    newest = tmp_path / "a.txt"
    newest.touch()
    keep_newest(newest, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.txt", "d.txt"]


def test_what_can_not_be_removed_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    discard([tmp_path / "none", tmp_path / "folder", tmp_path / "file"])
    assert f"cannot remove {tmp_path}/folder: " in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
