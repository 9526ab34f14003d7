"""What the certificate's sidecar promises, run for real with openssl."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.parts import program
from components.programs import renew_certificate
from components.programs.issue import Issued, IssueError
from components.programs.renew_certificate import Certificate, noted
from tests import authority
from tests.authority import openssl
from tests.unit.shell import Shell, ends_within_a_second, log_of, wait_for

NAMES = "here,here.namespace.svc,localhost"


class Server:
    """Stands in for nginx: loads what is published at each connection, unless told to keep it."""

    def __init__(self, pem: Path) -> None:
        self._pem, self._kept = pem, ""
        self.keeps = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if not (self.keeps and self._kept):
                self._kept = self._pem.read_text()
            copy = self._pem.with_name("served")
            copy.write_text(self._kept)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(copy)
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    def close(self) -> None:
        self._socket.close()


@dataclass
class Renewer:
    """The program, its CA and what it publishes."""

    host: Shell
    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca"

    @property
    def pem(self) -> Path:
        return self.folder / "live" / "server.pem"

    @property
    def status(self) -> str:
        file = self.pem.with_name("status")
        return file.read_text() if file.exists() else ""

    def start(
        self, port: int = 1, interval: int = 3600, lifetime: int = 7200, skew: int = 60
    ) -> "subprocess.Popen[str]":
        args = (self.ca, self.pem.parent, NAMES, port, interval, lifetime, skew)
        command = program("renew-certificate", "cert-renewer", *args)
        # A /tmp of this test's, and less patience with nginx.
        text = command[4].replace("/tmp/", f"{self.folder}/tmp/")
        command[4] = text.replace("PATIENCE = 10", "PATIENCE = 1")
        return self.host.run(*command)

    def calls(self) -> list[str]:
        """The commands of openssl that the program has run."""
        return [line.split()[0] for line in (self.folder / "calls").read_text().splitlines()]

    def serial(self) -> str:
        """The number of the certificate that is published."""
        return openssl("x509", "-in", str(self.pem), "-noout", "-serial").strip()[7:]

    def dates(self) -> tuple[float, float]:
        """From when to when it is valid."""
        return dates(self.pem)

    def issued(self) -> int:
        """When it was issued, as the program has noted it."""
        return int(self.pem.read_text().split()[2])


def dates(file: Path) -> tuple[float, float]:
    words = ("-noout", "-startdate", "-enddate", "-dateopt", "iso_8601")
    lines = openssl("x509", "-in", str(file), *words).splitlines()
    texts = [line.partition("=")[2].removesuffix("Z") for line in lines]
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in texts)
    return first, last


@pytest.fixture
def renewer(host: Shell, tmp_path: Path) -> Renewer:
    """The program's surroundings, with an openssl that tells how it is called."""
    for name in ("bin", "ca", "live", "tmp"):
        (tmp_path / name).mkdir()
    real = shutil.which("openssl")
    assert real, "openssl is missing: `make test` installs it"
    tool = tmp_path / "bin" / "openssl"
    notes = f'echo "$@" >>{tmp_path}/calls\nenv >>{tmp_path}/environments'
    tool.write_text(f'#!/bin/sh\n{notes}\nexec {real} "$@"\n')
    tool.chmod(0o755)
    host.env["PATH"] = f"{tmp_path / 'bin'}:{host.env['PATH']}"
    return Renewer(host, tmp_path)


@pytest.fixture
def server(renewer: Renewer) -> Iterator[Server]:
    server = Server(renewer.pem)
    yield server
    server.close()


def test_certificate_and_key_are_one_file_and_fit_each_other(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    renewer.start()
    wait_for(renewer.pem.exists)
    text = renewer.pem.read_text()
    assert re.findall("-----BEGIN (.*)-----", text) == ["CERTIFICATE", "PRIVATE KEY"]
    certified = openssl("x509", "-noout", "-pubkey", text=text)
    assert certified == openssl("pkey", "-pubout", text=text)
    assert "prime256v1" in openssl("pkey", "-noout", "-text", text=text)
    assert renewer.pem.stat().st_mode & 0o077 == 0


def test_a_certificate_is_for_these_names_and_for_a_server(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    renewer.start()
    wait_for(renewer.pem.exists)
    names = ("subjectAltName", "extendedKeyUsage", "basicConstraints")
    said = openssl("x509", "-in", str(renewer.pem), "-noout", "-ext", ",".join(names))
    assert "DNS:here, DNS:here.namespace.svc, DNS:localhost" in said
    assert "TLS Web Server Authentication" in said
    assert "CA:FALSE" in said
    for name in NAMES.split(","):
        words = ("-purpose", "sslserver", "-verify_hostname", name)
        openssl("verify", "-CAfile", str(renewer.ca / "tls.crt"), *words, str(renewer.pem))


def test_its_span_is_exact_to_the_second(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    before = int(time.time())
    renewer.start(lifetime=4000, skew=77)
    wait_for(renewer.pem.exists)
    issued = renewer.issued()
    assert before <= issued <= time.time()
    assert renewer.dates() == (issued - 77, issued + 4000)


def test_it_never_begins_before_its_ca_nor_outlives_it(renewer: Renewer) -> None:
    authority.make(renewer.ca, begins=-10, ends=1000)
    renewer.start(lifetime=4000, skew=60)
    wait_for(renewer.pem.exists)
    assert renewer.dates() == dates(renewer.ca / "tls.crt")


@pytest.mark.parametrize("algorithm", [("rsa:2048",), ("ed25519",)], ids=lambda words: words[0])
def test_a_ca_may_have_another_kind_of_key(renewer: Renewer, algorithm: tuple[str, ...]) -> None:
    authority.make(renewer.ca, algorithm=algorithm)
    renewer.start()
    wait_for(renewer.pem.exists)
    openssl("verify", "-CAfile", str(renewer.ca / "tls.crt"), str(renewer.pem))


def test_a_new_one_comes_each_interval_and_is_never_seen_in_parts(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port, interval=1, lifetime=60)
    wait_for(renewer.pem.exists)
    end, seen = time.monotonic() + 4, set[str]()
    while time.monotonic() < end:
        text = renewer.pem.read_text()
        assert text.endswith("-----END PRIVATE KEY-----\n\n"), text
        seen.add(text)
    assert 3 <= len(seen) <= 6
    assert all(text.count("-----BEGIN") == 2 for text in seen)
    said = re.findall(
        "serving certificate ([0-9A-F]+) valid for another (?:60|59) s", log_of(process)
    )
    assert len(set(said)) >= 3


def test_another_ca_is_used_at_once(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    first = renewer.serial()
    authority.make(renewer.ca, "B")
    wait_for(lambda: "serving" in renewer.status and first not in renewer.status)
    issuer = openssl("x509", "-in", str(renewer.pem), "-noout", "-issuer")
    assert "CA B of the tests" in issuer
    assert renewer.serial() in renewer.status


def test_a_ca_that_is_gone_leaves_the_certificate_and_the_time_it_has_left(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port, interval=1, lifetime=500)
    wait_for(lambda: "serving" in renewer.status)
    kept = {file: (renewer.ca / file).read_text() for file in ("tls.crt", "tls.key")}
    for file in kept:
        (renewer.ca / "..data" / file).unlink()
    wait_for(lambda: log_of(process).count("CA: no certificate in tls.crt") >= 3)
    serial = renewer.serial()
    left = re.findall(f"certificate {serial} valid for another (\\d+) s", log_of(process))
    assert len(set(left)) >= 3
    assert 480 < int(left[-1]) < 500
    authority.put(renewer.ca, kept)
    wait_for(lambda: "serving" in renewer.status and serial not in renewer.status)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nothing", "no certificate in tls.crt"),
        ("no key", "Could not (open|read).* CA private key"),
        ("another key", "CA certificate and CA private key do not match"),
        ("an encrypted key", "Could not read CA private key"),
        ("expired", "certificate has expired"),
        ("not yet valid", "certificate is not yet valid"),
        ("no CA", "invalid CA certificate"),
    ],
)
def test_a_ca_that_cannot_sign_is_said_to_be_so_and_nothing_is_published(
    renewer: Renewer, fault: str, reason: str
) -> None:
    ca, key = renewer.ca, renewer.ca / "..data" / "tls.key"
    match fault:
        case "expired":
            authority.make(ca, begins=-60, ends=-10)
        case "not yet valid":
            authority.make(ca, begins=100)
        case "no CA":
            authority.make(ca, is_ca=False)
        case "nothing":
            pass
        case _:
            authority.make(ca)
    if fault == "no key":
        key.unlink()
    elif fault == "another key":
        key.write_text(openssl("genpkey", "-algorithm", "ed25519"))
    elif fault == "an encrypted key":
        words = ("-aes256", "-passout", "pass:secret", "-out", str(key))
        openssl("pkey", *words, text=key.read_text())
    process = renewer.start()
    wait_for(lambda: renewer.status)
    assert re.fullmatch(f"CA: .*{reason}.*: no certificate yet\n", renewer.status)
    assert renewer.status in log_of(process)
    assert sorted(file.name for file in renewer.pem.parent.iterdir()) == ["status"]


def test_a_certificate_whose_ca_stays_away_is_said_to_have_expired(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    renewer.start(server.port, interval=1, lifetime=2)
    wait_for(lambda: "serving" in renewer.status)
    authority.put(renewer.ca, {"tls.crt": "", "tls.key": ""})
    wait_for(lambda: re.search(r"certificate \w+ expired [1-9]\d* s ago", renewer.status), 8)


def test_a_program_that_is_started_again_keeps_the_certificate(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    first = renewer.start(server.port)
    wait_for(lambda: "serving" in log_of(first))
    serial = renewer.serial()
    first.kill()
    second = renewer.start(server.port)
    wait_for(lambda: "serving" in log_of(second))
    time.sleep(1.5)
    assert renewer.serial() == serial
    assert "issued" not in log_of(second)


def test_one_that_would_end_before_the_next_look_is_not_kept(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca, ends=8)
    first = renewer.start(server.port)
    wait_for(lambda: "serving" in log_of(first))
    issued = log_of(first).count("issued")
    wait_for(lambda: log_of(first).count("issued") > issued)
    assert renewer.dates()[1] > time.time()
    # No certificate of this CA does longer, so there is no hurry.
    assert log_of(first).count("issued") <= issued + 2


def test_one_that_outlives_the_next_look_by_little_is_followed_before(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    renewer.start(server.port, interval=7, lifetime=8)
    wait_for(lambda: "serving" in renewer.status)
    first, (_, end) = renewer.serial(), renewer.dates()
    wait_for(lambda: "serving" in renewer.status and first not in renewer.status, 6)
    assert end - time.time() > 2


def test_what_no_nginx_serves_is_not_said_to_be_served(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    # Nobody listens there.
    process = renewer.start(1)
    wait_for(lambda: "issued" in renewer.status)
    time.sleep(1)
    assert "serving" not in log_of(process)
    assert "listen 1 ssl;" in renewer.pem.with_name("nginx.conf").read_text()


def test_a_certificate_that_nginx_has_missed_is_followed_by_another(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    server.keeps = True
    missed = renewer.serial()
    authority.make(renewer.ca, "B")
    wait_for(lambda: f"nginx serves {missed} instead of" in log_of(process), 10)
    server.keeps = False
    wait_for(lambda: renewer.status.startswith("serving"))
    assert missed not in renewer.status


def test_no_key_stands_anywhere_but_in_the_file_that_nginx_reads(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    server.close()
    written = [file for name in ("live", "tmp") for file in (renewer.folder / name).rglob("*")]
    with_key = [file.name for file in written if file.is_file() and "KEY" in file.read_text()]
    # The first one is of this test.
    assert sorted(with_key) == ["served", "server.pem"]
    assert "PRIVATE" not in log_of(process)
    key = renewer.pem.read_text().partition("PRIVATE KEY-----\n")[2].split()[0]
    shown = [(renewer.folder / name).read_text() for name in ("calls", "environments")]
    assert all(text and key not in text and "PRIVATE" not in text for text in shown)


def test_nothing_is_started_while_nothing_happens(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    before = renewer.calls()
    time.sleep(2)
    assert _session(process.pid) == {process.pid}
    assert renewer.calls() == before == ["x509", "req", "ca", "verify"]


def test_a_renewal_takes_three_processes(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port, interval=1, lifetime=60)
    wait_for(lambda: log_of(process).count("serving") == 3)
    assert renewer.calls() == ["x509", *(3 * ["req", "ca", "verify"])]


def test_a_ca_that_cannot_sign_is_not_tried_all_the_time(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    first = renewer.start()
    wait_for(lambda: "issued" in renewer.status)
    (renewer.ca / "..data" / "tls.key").unlink()
    (renewer.ca / "changed").touch()
    wait_for(lambda: "CA: " in renewer.status)
    before = renewer.calls()
    time.sleep(1)
    assert renewer.calls() == before
    assert first.poll() is None


def test_a_renewal_that_fails_once_is_tried_again_before_the_certificate_ends(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port, interval=8, lifetime=9)
    wait_for(lambda: "serving" in renewer.status)
    first, (_, end) = renewer.serial(), renewer.dates()
    (renewer.folder / "tmp").rename(renewer.folder / "away")
    wait_for(lambda: "CA: " in log_of(process), 6)
    (renewer.folder / "away").rename(renewer.folder / "tmp")
    wait_for(lambda: "serving" in renewer.status and first not in renewer.status, 6)
    assert time.time() < end


class Outage:
    """A renewer whose clock is this one's, and whose CA signs nothing within some seconds."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.begins, self.ends, self.tries = 1e9, 1e9, 1e9, list[float]()
        (folder / "ca").mkdir()
        (folder / "live").mkdir()
        clock = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now)
        monkeypatch.setattr(renew_certificate, "time", clock)
        monkeypatch.setattr(renew_certificate, "issue", self._issue)
        monkeypatch.setattr(renew_certificate, "served_certificate", self._served)
        self._folder, self._pem = folder, folder / "live" / "server.pem"

    def _issue(self, _ca: Path, _names: list[str], _begin: int, end: int) -> Issued:
        self.tries.append(self.now)
        if self.begins <= self.now < self.ends:
            raise IssueError("no certificate in tls.crt")
        return Issued(f"{len(self.tries):02X}", end, f"pem {end}")

    def _served(self, _: int) -> str:
        return noted(self._pem.read_text()).pem if self._pem.exists() else ""

    def run(self, interval: int, lifetime: int, seconds: float) -> float:
        """Have it work so long; the seconds in which it has had no valid certificate."""
        places = (self._folder / "ca", self._folder / "live")
        renewer = renew_certificate.Renewer(*places, ["x"], 1, interval, lifetime, 60)
        end, without = self.now + seconds, 0.0
        while self.now < end:
            wait = max(renewer.work(), 0.1)
            valid = noted(self._pem.read_text()).end if self._pem.exists() else 0
            without += max(0, self.now + wait - max(self.now, valid))
            self.now += wait
        return without


@pytest.mark.parametrize(
    ("interval", "lifetime"), [(60, 61), (60, 180), (3600, 5400), (3600, 3601)]
)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_who_cannot_issue_for_a_while_does_so_before_the_certificate_ends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interval: int,
    lifetime: int,
    share: float,
) -> None:
    outage = Outage(tmp_path, monkeypatch)
    due = min(interval, lifetime - 5)
    outage.begins = outage.now + due
    outage.ends = outage.begins + 1 + share * (lifetime - due - 3)
    assert outage.run(interval, lifetime, 4 * interval) == 0


@pytest.mark.parametrize(("interval", "lifetime"), [(60, 180), (3600, 5400)])
@pytest.mark.parametrize("issued", [False, True])
def test_a_ca_that_stays_away_is_tried_calmly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    interval: int,
    lifetime: int,
    issued: bool,
) -> None:
    outage = Outage(tmp_path, monkeypatch)
    outage.begins, outage.ends = outage.now + (1 if issued else 0), outage.now + 1e9
    outage.run(interval, lifetime, 100 * interval)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("CA: ")]
    assert len(lines) <= len(outage.tries) <= 100 + 30
    last = [round(after - before) for before, after in pairwise(outage.tries[-20:])]
    assert last == [interval] * 19


def test_a_first_certificate_is_tried_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(tmp_path, monkeypatch)
    outage.ends = outage.now + 1
    assert outage.run(3600, 7200, 3600) <= 5


def test_the_same_ca_is_used_at_once_when_it_is_back(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    serial = renewer.serial()
    kept = {file: (renewer.ca / file).read_text() for file in ("tls.crt", "tls.key")}
    authority.put(renewer.ca, {"tls.crt": "", "tls.key": ""})
    wait_for(lambda: "CA: no certificate in tls.crt" in renewer.status)
    authority.put(renewer.ca, kept)
    wait_for(lambda: "serving" in renewer.status and serial not in renewer.status)


def test_a_clock_that_was_set_back_is_followed_by_another_certificate(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    first = renewer.start(server.port)
    wait_for(lambda: "serving" in log_of(first))
    first.kill()
    line, _, pem = renewer.pem.read_text().partition("\n")
    serial, issuer, issued, end = line.split()
    later = f"{serial} {issuer} {int(issued) + 600} {int(end) + 600}"
    renewer.pem.write_text(f"{later}\n{pem}")
    second = renewer.start(server.port)
    wait_for(lambda: "serving" in log_of(second))
    assert renewer.serial() != serial


def test_a_certificate_that_cannot_be_published_is_said_and_tried_again(
    renewer: Renewer, server: Server
) -> None:
    authority.make(renewer.ca)
    live, away = renewer.pem.parent, renewer.folder / "away"
    live.rename(away)
    process = renewer.start(server.port, interval=1, lifetime=60)
    wait_for(lambda: "cannot publish" in log_of(process))
    away.rename(live)
    wait_for(lambda: renewer.status.startswith("serving"))


def test_without_openssl_it_says_so_and_goes_on(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    (renewer.folder / "bin" / "openssl").unlink()
    (renewer.folder / "bin" / "python3").symlink_to("/usr/bin/python3")
    renewer.host.env["PATH"] = str(renewer.folder / "bin")
    process = renewer.start(interval=1)
    wait_for(lambda: renewer.status)
    assert re.fullmatch("CA: .*No such file.*'openssl': no certificate yet\n", renewer.status)
    time.sleep(1.5)
    assert process.poll() is None
    assert "Traceback" not in log_of(process)


def test_without_room_for_openssl_it_says_so_and_goes_on(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    (renewer.folder / "tmp").rmdir()
    process = renewer.start(server.port, interval=1, lifetime=60)
    wait_for(lambda: re.search("CA: .*No such file.*: no certificate yet", log_of(process)))
    (renewer.folder / "tmp").mkdir()
    wait_for(lambda: renewer.status.startswith("serving"))
    assert "Traceback" not in log_of(process)


@pytest.mark.parametrize("text", ["", "\n", "AB 01 5\n", "AB 01 five 6\n", "\0" * 100])
def test_what_is_no_certificate_is_taken_for_none(text: str) -> None:
    assert noted(text) == Certificate()


def test_it_ends_while_it_waits_for_an_answer(renewer: Renewer) -> None:
    authority.make(renewer.ca)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = renewer.start(silent.getsockname()[1])
        silent.settimeout(5)
        with silent.accept()[0] as client:
            # It has begun, and waits a moment later: Python can't see a signal that comes between.
            client.recv(1)
            time.sleep(0.2)
            ends_within_a_second(process)


def test_it_ends_within_a_second(renewer: Renewer, server: Server) -> None:
    authority.make(renewer.ca)
    process = renewer.start(server.port)
    wait_for(lambda: "serving" in renewer.status)
    ends_within_a_second(process)


def _session(leader: int) -> set[int]:
    """The processes of a session."""
    found: set[int] = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader:
            found.add(int(file.parent.name))
    return found
