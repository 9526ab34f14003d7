"""Cert renewal: the certificate that nginx serves is renewed while it serves.

Shows a sidecar that issues short-lived certificates from a CA in a Secret, hands
certificate and key to nginx in one step, and sees nginx serve them. nginx's own
container has it load them: the sidecar needs no signal, so the containers share
no processes, and the CA's key is out of the app's reach. (Where they share them,
/proc/PID/root shows each container's files to every other.)
https://nginx.org/en/docs/http/configuring_https_servers.html

Guarantees: no handshake fails and no container restarts when a certificate is
renewed or the CA becomes another one; nginx never sees a certificate without its
key, or one that who trusts the CA would refuse; a CA that is gone or wrong leaves
the certificate as it is, and how long that will do stands in the sidecar's log and
in its file `status`, never in readiness.
Leaves out: revocation, for which the certificates are too short-lived; and names
that only a public CA may certify.
"""

import base64
import re
from typing import NotRequired

import pulumi

from .manifest import register
from .messages import check_keys
from .parts import empty_dir, labels_of, once, program, script
from .workload import Pattern, PodTemplate, WorkloadArgs

CA = "/etc/ca"
"""Where the sidecar has the CA, `tls.crt` and `tls.key`."""

BUNDLE = "ca.crt"
"""The ConfigMap's key: what clients trust."""

LIVE = "/etc/nginx/live"
"""Where nginx has its certificate, and the sidecar its status."""

HOST_NAME = r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
"""A DNS name, of which a wildcard may be the first label."""


class CertRenewalArgs(WorkloadArgs):
    """Arguments of CertRenewal."""

    ca_certificate: pulumi.Input[str]
    """The certificate of the CA, PEM."""

    ca_key: pulumi.Input[str]
    """Its private key, PEM, unencrypted; a secret."""

    trusted_certificates: NotRequired[pulumi.Input[str]]
    """Certificates of former and future CAs that clients are to trust too, PEM. Default none. A
    CA is replaced in three steps: add the new one here, make it the CA and leave the old one
    here, and drop that once no certificate of it is valid."""

    host_names: NotRequired[list[str]]
    """What clients may call the server: DNS names. Default: name, name.namespace.svc, localhost."""

    interval_seconds: NotRequired[int]
    """Seconds between two certificates. Default 60."""

    lifetime_seconds: NotRequired[int]
    """Seconds that a certificate is valid; the CA may end sooner. Default three intervals. An
    error unless it is longer than an interval."""

    skew_seconds: NotRequired[int]
    """Seconds that a client's clock may be behind: so long ago a new certificate has begun to be
    valid, or with its CA. Default 60."""

    port: NotRequired[int]
    """TCP port that nginx listens at, named `https`. Default 8443."""


def default_names(name: str, args: CertRenewalArgs) -> list[str]:
    """What clients call the server if the arguments don't say."""
    return [name, f"{name}.{args.get('namespace', 'default')}.svc", "localhost"]


def pod(name: str, args: CertRenewalArgs) -> PodTemplate:
    """The pod of an instance, whose Secret has its name. Raises ValueError for wrong arguments."""
    port, interval = args.get("port", 8443), args.get("interval_seconds", 60)
    lifetime = args.get("lifetime_seconds", 3 * interval)
    if lifetime <= interval:
        raise ValueError(f"lifetime_seconds: found {lifetime}, allowed is more than {interval}")
    names = args.get("host_names", [])
    for host in names:
        if not re.fullmatch(HOST_NAME, host):
            raise ValueError(f"host_names: found {host!r}, allowed is a DNS name")
    names = names or default_names(name, args)
    live = {"name": "live", "mountPath": LIVE}
    configuration, certificate = f"{LIVE}/nginx.conf", f"{LIVE}/server.pem"
    return PodTemplate(
        app={
            "name": "main-app",
            "image": "nginx",
            "command": script(
                *("serve-reloaded", "main-app", "/tmp/nginx.pid", interval),
                *(configuration, certificate),
                uses=["watch"],
            ),
            "ports": [{"name": "https", "containerPort": port}],
            "readinessProbe": {"tcpSocket": {"port": "https"}, "periodSeconds": 5},
            "volumeMounts": [{**live, "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}],
        },
        sidecars=[
            {
                "name": "cert-renewer",
                # Its openssl issues; Python's library can't.
                "image": "python",
                "command": program(
                    *("renew-certificate", "cert-renewer", CA, LIVE, ",".join(names)),
                    *(port, interval, lifetime, args.get("skew_seconds", 60)),
                ),
                # What comes after a native sidecar starts once there is a certificate.
                "startupProbe": once(configuration),
                "volumeMounts": [
                    {"name": "ca", "mountPath": CA, "readOnly": True},
                    live,
                    {"name": "sidecar-tmp", "mountPath": "/tmp"},
                ],
            }
        ],
        volumes=[
            # Optional: a Secret that is deleted is seen as that, and a pod without one says so.
            {"name": "ca", "secret": {"secretName": name, "defaultMode": 0o440, "optional": True}},
            {"name": "live", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            empty_dir("tmp", "16Mi"),
            empty_dir("sidecar-tmp", "16Mi"),
        ],
    )


class CertRenewal(Pattern):
    """nginx, and a sidecar that renews its certificate from a CA in a Secret."""

    def __init__(
        self, name: str, args: CertRenewalArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        check_keys(args, CertRenewalArgs)
        super().__init__("sidecar-powers:index:CertRenewal", name, {}, opts)
        from pulumi_kubernetes.core.v1 import ConfigMap, Secret

        metadata = {
            "name": name,
            "namespace": args.get("namespace", "default"),
            "labels": labels_of(name, "cert-renewal"),
        }
        options = pulumi.ResourceOptions(parent=self)
        certificate, key = args["ca_certificate"], pulumi.Output.secret(args["ca_key"])
        pair = {"tls.crt": _encoded(certificate), "tls.key": _encoded(key)}
        secret = {"metadata": metadata, "type": "kubernetes.io/tls", "data": pair}
        texts = pulumi.Output.all(certificate, args.get("trusted_certificates", ""))
        bundle = texts.apply(lambda found: "".join(f"{text.strip()}\n" for text in found if text))
        config_map = {"metadata": metadata, "data": {BUNDLE: bundle}}
        port = args.get("port", 8443)
        self._deploy(
            name,
            "cert-renewal",
            pod(name, args),
            args,
            commands=[
                "kubectl -n {namespace} logs {workload} -c cert-renewer -f",
                "kubectl -n {namespace} get configmap {name} -o jsonpath='{{.data.*}}'",
                "kubectl -n {namespace} exec {workload} -c cert-renewer --"
                f" openssl s_client -connect 127.0.0.1:{port} -CAfile {CA}/tls.crt",
            ],
            depends_on=[
                register(Secret, name, secret, options),
                register(ConfigMap, name, config_map, options),
            ],
        )


def _encoded(text: pulumi.Input[str]) -> pulumi.Output[str]:
    return pulumi.Output.from_input(text).apply(lambda it: base64.b64encode(it.encode()).decode())
