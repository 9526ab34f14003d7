"""Certificates and their CA change under clients that go on connecting."""

import re
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from components.cert_renewal import BUNDLE, CA, LIVE
from components.checks import SYNC
from tests import authority
from tests.cluster import handshakes
from tests.cluster.clients import Clients, clients
from tests.cluster.faults import kill, processes, within
from tests.cluster.project import Cluster, Object, Project, is_ready, restarts

pytestmark = pytest.mark.xdist_group("cert-renewal")

DEMO, INSTANCE = "cert-renewal", "cert-renewal-demo"
INTERVAL, LIFETIME, RENEWALS = 5, 240, 20


@dataclass(frozen=True)
class Authority:
    """A CA of these tests."""

    name: str
    certificate: str
    key: Object
    """As a stack's file has it."""


class Renewed:
    """The demo on the cluster, and what its clients are to trust."""

    def __init__(self, cluster: Cluster, project: Project, folder: Path) -> None:
        self.cluster, self.project = cluster, project
        self._bundle = folder / BUNDLE
        self.authorities = [self._authority(folder, name) for name in "AB"]

    def _authority(self, folder: Path, name: str) -> Authority:
        (made := folder / name).mkdir()
        authority.make(made, name)
        key = self.project.encrypted((made / "tls.key").read_text())
        return Authority(name, (made / "tls.crt").read_text(), key)

    def up(self, issuer: Authority, trusted: Authority | None = None) -> None:
        """Deploy with a CA and another one to trust; clients trust what they then find."""
        options: Object = {"intervalSeconds": INTERVAL, "lifetimeSeconds": LIFETIME}
        options |= {"caCertificate": issuer.certificate, "caKey": issuer.key}
        if trusted:
            options["trustedCertificates"] = trusted.certificate
        self.project.configure(demos={DEMO: options})
        self.project.up()
        found = self.cluster.core.read_namespaced_config_map(INSTANCE, self.project.namespace)
        # Clients read it for each connection.
        new = self._bundle.with_suffix(".new")
        new.write_text(found.data[BUNDLE])
        new.rename(self._bundle)
        self.cluster.hurry(self.project.namespace)

    @property
    def pod(self) -> Any:
        return self.cluster.pod(self.project.namespace, DEMO)

    def run(self, command: str) -> str:
        return self.cluster.run(self.project.namespace, DEMO, "cert-renewer", command)

    def status(self) -> str:
        return self.run(f"cat {LIVE}/status")

    def issuer(self) -> str:
        """Who has signed what nginx serves."""
        client = "openssl s_client -connect 127.0.0.1:8443 </dev/null 2>/dev/null"
        return self.run(f"{client} | openssl x509 -noout -issuer")

    def issued(self) -> dict[str, float]:
        """When each certificate was issued, by its number, in seconds since 1970."""
        log: str = self.cluster.core.read_namespaced_pod_log(
            self.pod.metadata.name,
            self.project.namespace,
            container="cert-renewer",
            timestamps=True,
        )
        found = re.findall(r"^(\S{26})\S* issued certificate (\w+)$", log, re.MULTILINE)
        return {serial: datetime.fromisoformat(f"{at}+00:00").timestamp() for at, serial in found}

    def connecting(self) -> AbstractContextManager[Clients]:
        """Clients that connect as fast as they can."""
        app = processes(self.pod)["main-app"]
        return clients(app, handshakes, 8443, INSTANCE, self._bundle)


@pytest.fixture(scope="module")
def renewed(
    local_cluster: Cluster, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> Renewed:
    found = Renewed(local_cluster, project, tmp_path_factory.mktemp("cert-renewal"))
    found.up(found.authorities[0])
    return found


def test_a_certificate_of_the_secrets_ca_is_served_and_renewed(renewed: Renewed) -> None:
    renewed.project.verify()


@pytest.mark.long
def test_twenty_renewals_cost_no_handshake(
    renewed: Renewed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = renewed.pod
    start = time.time()
    with renewed.connecting() as connecting:
        time.sleep((RENEWALS + 1) * INTERVAL)
        seen = connecting.end()
    issued = {serial: at for serial, at in renewed.issued().items() if at > start}
    times = sorted(at - issued[key] for key, at in seen["first"].items() if key in issued)
    with capsys.disabled():
        middle, last = times[len(times) // 2] * 1000, times[-1] * 1000
        print(f"\n{seen['count']} handshakes over {len(times)} renewals; issued to served:", end="")
        print(f" p50 {middle:.0f} ms, at most {last:.0f} ms")
    assert seen["failures"] == []
    assert len(times) >= RENEWALS
    assert times[-1] < INTERVAL
    assert renewed.pod.metadata.uid == before.metadata.uid
    assert restarts(renewed.pod) == 0


@pytest.mark.long
def test_a_ca_is_replaced_in_three_steps_and_costs_no_handshake(renewed: Renewed) -> None:
    old, new = renewed.authorities
    before = renewed.pod
    with renewed.connecting() as connecting:
        renewed.up(old, trusted=new)
        renewed.up(new, trusted=old)
        within(SYNC, lambda: f"CA {new.name} of" in renewed.issuer())
        renewed.up(new)
        time.sleep(2 * INTERVAL)
        seen = connecting.end()
    assert seen["failures"] == []
    assert seen["count"] > 1000
    assert renewed.pod.metadata.uid == before.metadata.uid
    assert restarts(renewed.pod) == 0
    renewed.project.verify()


@pytest.mark.long
def test_a_ca_that_is_gone_leaves_the_certificate_and_the_time_it_has_left(
    renewed: Renewed,
) -> None:
    renewed.cluster.core.delete_namespaced_secret(INSTANCE, renewed.project.namespace)
    renewed.cluster.hurry(renewed.project.namespace)
    left = r"CA: no certificate in tls\.crt: certificate (\w+) valid for another (\d+) s"
    first = within(SYNC, lambda: re.fullmatch(left, renewed.status().strip()))
    with renewed.connecting() as connecting:
        time.sleep(2 * INTERVAL)
        seen = connecting.end()
    assert (seen["failures"], [*seen["first"]]) == ([], [first[1]])
    now = re.fullmatch(left, renewed.status().strip())
    assert now
    assert int(now[2]) < int(first[2])
    assert is_ready(renewed.pod)
    failed = [result for result in renewed.project.verified() if not result.passed]
    assert "certificate as configured" in [result.check for result in failed]
    assert any("CA: no certificate in tls.crt" in result.seen for result in failed)
    # Who else deletes things, Pulumi has to be told.
    renewed.project.refresh()
    renewed.project.up()
    within(SYNC, lambda: renewed.status().startswith("serving "))
    assert restarts(renewed.pod) == 0


@pytest.mark.long
def test_a_sidecar_that_is_killed_goes_on_and_costs_no_handshake(renewed: Renewed) -> None:
    before = processes(renewed.pod)
    with renewed.connecting() as connecting:
        kill(before["cert-renewer"])
        within(
            60,
            lambda: (
                processes(renewed.pod).get("cert-renewer", before["cert-renewer"])
                != before["cert-renewer"]
            ),
        )
        serial = renewed.run(f"head -n 1 {LIVE}/server.pem").split()[0]
        within(3 * INTERVAL, lambda: serial not in renewed.status())
        seen = connecting.end()
    assert seen["failures"] == []
    assert processes(renewed.pod)["main-app"] == before["main-app"]
    renewed.project.verify()


@pytest.mark.long
def test_a_client_whose_clock_is_behind_accepts_a_new_certificate(renewed: Renewed) -> None:
    def said(behind: int) -> str:
        return renewed.run(
            f"read -r _ _ issued _ <{LIVE}/server.pem;"
            f" openssl s_client -connect 127.0.0.1:8443 -CAfile {CA}/tls.crt"
            f" -attime $((issued - {behind})) -verify_return_error </dev/null 2>&1"
        )

    assert "Verify return code: 0 (ok)" in said(50)
    assert "certificate is not yet valid" in said(70)
