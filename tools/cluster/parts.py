"""The programs that the cluster consists of, and the command line of each."""

from collections.abc import Mapping
from pathlib import Path

from tools.cluster.config import DISK, NODE, NODE_IP, SERVICES, SOCKET
from tools.cluster.node import Part
from tools.cluster.state import AUDIT
from tools.paths import built

PARTS = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
"""In the order in which they start."""


def parts(folder: Path, pki: Path) -> dict[str, Part]:
    """What to run, with the configuration files in `folder` and the keys in `pki`."""
    kubernetes = built("kubernetes")
    return {
        "etcd": {
            "command": _command(
                "etcd",
                {
                    "data-dir": DISK / "etcd",
                    "listen-client-urls": "http://127.0.0.1:2379",
                    "advertise-client-urls": "http://127.0.0.1:2379",
                    "listen-peer-urls": "http://127.0.0.1:2380",
                    # A crash of a part loses nothing without it, only one of the machine could.
                    "unsafe-no-fsync": "true",
                    # The only member need not wait a second for others before it leads.
                    "heartbeat-interval": "20",
                    "election-timeout": "100",
                },
            ),
            "after": [],
            "ready": "http://127.0.0.1:2379/health",
        },
        "containerd": {
            "command": _command("containerd", {"config": folder / "containerd.toml"}),
            "after": [],
            "ready": SOCKET,
        },
        "kube-apiserver": {
            "command": _command(kubernetes / "kube-apiserver", _api_server(folder, pki)),
            "after": ["etcd"],
            "ready": "https://127.0.0.1:6443/readyz",
        },
        "kube-controller-manager": {
            "command": _command(kubernetes / "kube-controller-manager", _controllers(folder, pki)),
            "after": ["kube-apiserver"],
            "ready": "https://127.0.0.1:10257/healthz",
        },
        "kube-scheduler": {
            "command": _command(
                kubernetes / "kube-scheduler",
                {"config": folder / "kube-scheduler.yaml", "bind-address": "127.0.0.1"},
            ),
            "after": ["kube-apiserver"],
            "ready": "https://127.0.0.1:10259/healthz",
        },
        "kubelet": {
            "command": _command(
                kubernetes / "kubelet",
                {
                    "config": folder / "kubelet.yaml",
                    "kubeconfig": folder / "kubelet.kubeconfig",
                    "root-dir": DISK / "kubelet",
                    "cert-dir": DISK / "kubelet/pki",
                    "hostname-override": NODE,
                    "node-ip": NODE_IP,
                },
            ),
            "after": ["containerd", "kube-apiserver"],
            "ready": "http://127.0.0.1:10248/healthz",
        },
        "kube-proxy": {
            "command": _command(kubernetes / "kube-proxy", {"config": folder / "kube-proxy.yaml"}),
            "after": ["kubelet"],
            "ready": "http://127.0.0.1:10256/livez",
        },
    }


def _api_server(folder: Path, pki: Path) -> dict[str, object]:
    """https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/"""
    return {
        "etcd-servers": "http://127.0.0.1:2379",
        "secure-port": 6443,
        "advertise-address": NODE_IP,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        # Takes etcd 3.4.25; clients that ask an older one for it go on to ask, and see changes
        # seconds late.
        # https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists
        "feature-gates": "WatchList=false",
        # Pod Security decides about privileged pods, as on any current cluster.
        "allow-privileged": "true",
        "client-ca-file": pki / "ca.crt",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "audit-policy-file": folder / "audit.yaml",
        "audit-log-path": AUDIT,
        # In MB. The one before is kept too.
        "audit-log-maxsize": 100,
        "audit-log-maxbackup": 1,
    }


def _controllers(folder: Path, pki: Path) -> dict[str, object]:
    """https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/"""
    return {
        "kubeconfig": folder / "kube-controller-manager.kubeconfig",
        "bind-address": "127.0.0.1",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": pki / "sa.key",
        "root-ca-file": pki / "ca.crt",
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
        "flex-volume-plugin-dir": DISK / "volume-plugins",
        # There is no second one to wait for.
        "leader-elect": "false",
        # At the default of 20 a second, its first requests alone take 4 s.
        "kube-api-qps": 200,
        "kube-api-burst": 400,
        # How long a node that is ready may keep the taint that it is not; 5 s by default.
        "node-monitor-period": "500ms",
    }


def _command(program: str | Path, flags: Mapping[str, object]) -> list[str]:
    return [str(program), *(f"--{name}={value}" for name, value in flags.items())]
