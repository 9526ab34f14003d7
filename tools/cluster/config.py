"""The addresses, names and places of the cluster, and the configuration files of its parts."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.images import PAUSE
from tools.paths import CONTEXT

NODE = "sidecar-powers"
"""The name of the only node."""

NODE_IP = "10.244.0.1"
"""The node's address, and the pods' gateway. The kubelet refuses a loopback address."""

PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
"""The address of the API server for pods, the first of SERVICES."""

HOST_IP = "169.254.244.1"
API_IP = "169.254.244.2"
"""The two ends of the link between the machine and the node."""

API = f"https://{API_IP}:6443"
"""The API server, from the machine."""

DISK = Path("/run/node")
"""Where the node mounts its own file system. Short, since socket paths end after 107 bytes."""

SOCKET = "/run/containerd/containerd.sock"
"""Of containerd, inside the node."""

MOUNT_POINTS = ("/var/lib/cni", "/var/lib/kubelet")
"""Where the node mounts something of its own over what the machine has, if it has any."""

TUNABLES = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
]
"""What the kubelet would set for the whole machine, a restart after a kernel fault included.
https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ (protectKernelDefaults)
"""

ADMIN = "sidecar-powers-admin"
"""Who uses the cluster from the machine."""

CGROUP = "/sidecar-powers"
"""The cgroup of everything in the node."""


def mounts(disk: Path) -> list[list[str]]:
    """What the node mounts, as arguments of mount(8), in order; `disk` is an image file."""

    def temporary(folder: str) -> list[str]:
        return ["-t", "tmpfs", "-o", "mode=755", "node", folder]

    return [
        ["-t", "proc", "proc", "/proc"],
        # Sockets, locks and network namespaces live here, by default and by name.
        temporary("/run"),
        # The kubelet links logs and puts sockets here and network plugins keep results,
        # whatever they are told.
        temporary("/var/log"),
        *(temporary(folder) for folder in MOUNT_POINTS),
        # A disk of its own: the kubelet wants to know its device, and how full it is.
        ["-o", "loop,noatime,discard", str(disk), str(DISK)],
    ]


def write(folder: Path, pki: Path) -> None:
    """Write the configuration files of all parts into `folder`, with the keys in `pki`."""
    network = folder / "cni"
    network.mkdir(parents=True, exist_ok=True)
    for client in ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"):
        config = kubeconfig(pki, client, f"https://{NODE_IP}:6443")
        _write(folder / f"{client}.kubeconfig", config)
    _write(folder / "kube-scheduler.yaml", _scheduler(folder))
    _write(folder / "kubelet.yaml", _kubelet(pki))
    _write(folder / "kube-proxy.yaml", _proxy(folder))
    _write(folder / "audit.yaml", _audit())
    (network / "10-pods.conflist").write_text(json.dumps(_network(), indent=2))
    (folder / "containerd.toml").write_text(_containerd(network))


def kubeconfig(pki: Path, client: str, server: str) -> dict[str, Any]:
    """The kubeconfig of a client, complete in itself.

    https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
    """

    def data(file: str) -> str:
        return base64.b64encode((pki / file).read_bytes()).decode()

    user = {
        "client-certificate-data": data(f"{client}.crt"),
        "client-key-data": data(f"{client}.key"),
    }
    cluster = {"server": server, "certificate-authority-data": data("ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": client}}],
        "current-context": CONTEXT,
    }


def _audit() -> dict[str, Any]:
    """Which requests are written down: those from the machine, without what was sent.

    https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": [ADMIN]}, {"level": "None"}],
    }


def _scheduler(folder: Path) -> dict[str, Any]:
    """https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/"""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(folder / "kube-scheduler.kubeconfig")},
        "leaderElection": {"leaderElect": False},
    }


def _kubelet(pki: Path) -> dict[str, Any]:
    """https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "address": NODE_IP,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        # runc makes the cgroups itself: there may be no systemd, and version 1 still counts.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": CGROUP,
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "localStorageCapacityIsolation": True,
        "podLogsDir": str(DISK / "logs"),
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 3,
        "volumePluginDir": str(DISK / "volume-plugins"),
        # Images come from no registry, so one that was removed would be missed.
        "imageGCHighThresholdPercent": 100,
        # There is no name server. Where nothing listens, names fail at once; and without an
        # address the kubelet would warn about each pod.
        "clusterDNS": [NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
    }


def _proxy(folder: Path) -> dict[str, Any]:
    """https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/"""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(folder / "kube-proxy.kubeconfig")},
        "hostnameOverride": NODE,
        "mode": "iptables",
        "clusterCIDR": PODS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # The size of the table is the machine's, and not to be set from a namespace.
        "conntrack": {"maxPerCore": 0},
    }


def _network() -> dict[str, Any]:
    """Pods on links of their own to the node, so that all traffic between them is routed.

    With a bridge, a service in front of its own client's neighbour would need br_netfilter.
    https://www.cni.dev/plugins/current/main/ptp/
    """
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}


def _containerd(network: Path) -> str:
    """https://github.com/containerd/containerd/blob/release/1.6/docs/cri/config.md"""
    return f"""\
version = 2
root = "{DISK}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Lowering a score takes a capability that the machine's root may not have.
restrict_oom_score_adj = true
# A profile would be loaded into the machine's kernel, and stay.
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{network}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _write(path: Path, config: Mapping[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
