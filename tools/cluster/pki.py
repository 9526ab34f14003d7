"""The cluster's keys and certificates.

Every component has a certificate of its own, so that RBAC and the Node authorizer
give each no more than its part:
https://kubernetes.io/docs/setup/best-practices/certificates/
"""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tools.cluster.config import ADMIN

VALID = datetime.timedelta(days=3650)
"""Longer than any local cluster lives: nothing here renews a certificate."""

API_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
)


def create(folder: Path, node: str, api_addresses: Sequence[str], node_address: str) -> None:
    """Write NAME.crt and NAME.key of every component, ca.crt, and sa.key with sa.pub.

    `node` is the name of the node, `api_addresses` are the addresses that clients use for
    the API server, and the kubelet serves at `node_address`.
    """
    folder.mkdir(mode=0o700, parents=True)
    authority = _Authority(folder)
    authority.serve("apiserver", API_NAMES, api_addresses)
    authority.serve("kubelet-server", [node], [node_address])
    authority.identify("apiserver-kubelet-client", "kube-apiserver", "system:masters")
    authority.identify("admin", ADMIN, "system:masters")
    authority.identify("kube-controller-manager", "system:kube-controller-manager")
    authority.identify("kube-scheduler", "system:kube-scheduler")
    authority.identify("kube-proxy", "system:kube-proxy")
    authority.identify("kubelet", f"system:node:{node}", "system:nodes")
    tokens = ec.generate_private_key(ec.SECP256R1())
    _write_key(folder / "sa.key", tokens)
    (folder / "sa.pub").write_bytes(
        tokens.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


class _Authority:
    """Signs certificates. Its own key stays on disk for the controller manager's signer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sidecar-powers")])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key.public_key())
        self._write("ca", self._key, builder.add_extension(ca, critical=True))

    def serve(self, file: str, names: Sequence[str], addresses: Sequence[str]) -> None:
        """A certificate for a server that clients reach under these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        alternatives = x509.SubjectAlternativeName(
            [
                *(x509.DNSName(name) for name in names),
                *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
            ]
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(alternatives, critical=False)
        self._write(file, key, builder.add_extension(usage, critical=False))

    def identify(self, file: str, user: str, group: str | None = None) -> None:
        """A certificate with which a client is this user, in this group."""
        key = ec.generate_private_key(ec.SECP256R1())
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        subject = x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(subject, key.public_key())
        self._write(file, key, builder.add_extension(usage, critical=False))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            # An hour back, for a clock that is set right after the start.
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + VALID)
        )

    def _write(
        self, file: str, key: ec.EllipticCurvePrivateKey, builder: x509.CertificateBuilder
    ) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        _write_key(self._folder / f"{file}.key", key)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self._folder / f"{file}.crt").write_bytes(pem)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
