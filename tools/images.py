"""The local cluster's images, made from Debian packages.

No registry is needed, only the machine's own apt sources. Each image holds the files of
a few packages and what they link to, without documentation, and is named for what it is.
The archive follows https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import hashlib
import io
import json
import platform
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .paths import CACHE
from .programs import ClusterError, run

REPOSITORY = "localhost/sidecar-powers"
TAG = "bookworm"
PAUSE = f"{REPOSITORY}/pause:{TAG}"
"""What holds a pod's namespaces open, and reaps for it if its containers share processes."""

USER = 65532
"""The user of every image unless a pod names another: any but root."""


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    packages: tuple[str, ...]
    """Debian packages, the one that the image is named for first."""

    command: tuple[str, ...]
    """What a container runs if its pod says nothing."""

    dependencies: bool = True
    """Whether to add what the packages depend on; a static program needs nothing."""


RECIPES = {
    "pause": Recipe(("catatonit",), ("/usr/bin/catatonit", "-P"), dependencies=False),
    "busybox": Recipe(("busybox-static",), ("sh",), dependencies=False),
    "nginx": Recipe(
        ("nginx-light", "dash", "busybox-static"), ("nginx", "-e", "stderr", "-g", "daemon off;")
    ),
    "curl": Recipe(("curl", "dash", "busybox-static"), ("sh",)),
}

INSTALLER_ONLY = {
    *("debconf", "debianutils", "dpkg", "gcc-12-base", "iproute2", "libacl1", "libbpf1"),
    *("libbsd0", "libbz2-1.0", "libcap2", "libcap2-bin", "libdb5.3", "libelf1", "liblzma5"),
    *("libmd0", "libmnl0", "libselinux1", "libtirpc-common", "libtirpc3", "libxtables12", "tar"),
}
"""Dependencies that only installing needs, or a service manager."""

UNREAD = re.compile(r"usr/share/(doc|man|locale|lintian|vim)/|etc/init\.d/|.*/gconv/|linuxrc/")
"""What no container reads."""

ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n",
}


def ensure(report: Callable[[str], None]) -> Path:
    """Make the images unless this machine has them, and return the folder they are in.

    Takes about 5 s and 25 MB of downloads. What is made stays, so newer packages come in
    only once that folder is deleted. Raises ClusterError if apt fails.
    """
    # Whatever is changed in this file may change the images.
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    folder = CACHE / "images" / recipe[:12]
    if folder.exists():
        return folder
    report("Making the images from Debian packages, once per machine")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        layout = Layout()
        with tempfile.TemporaryDirectory() as downloads:
            for name, recipe in RECIPES.items():
                packages = _download(recipe, Path(downloads, name))
                layout.add(f"{REPOSITORY}/{name}:{TAG}", recipe, packages)
        layout.write(Path(made, "images"))
        try:
            Path(made, "images").rename(folder)
        except OSError:
            # Another work tree was faster.
            if not folder.exists():
                raise
    return folder


def load(folder: Path, socket: str) -> bool:
    """Give containerd, listening at `socket`, the images it lacks; False if it lacks none."""
    index = json.loads((folder / "index.json").read_text())
    wanted = {
        (manifest["annotations"]["io.containerd.image.name"], manifest["digest"])
        for manifest in index["manifests"]
    }
    client = ("ctr", "--address", socket, "--namespace", "k8s.io", "images")
    listed = (line.split() for line in run(*client, "list").splitlines())
    if wanted <= {(words[0], words[2]) for words in listed}:
        return False
    run(*client, "import", str(folder / "images.tar"))
    return True


def _download(recipe: Recipe, folder: Path) -> list[Path]:
    """The packages of a recipe, from the machine's own apt sources, with apt's own checks."""
    (folder / "partial").mkdir(parents=True)
    nothing_installed = folder / "status"
    nothing_installed.touch()
    options = {
        "Dir::State::status": nothing_installed,
        "Dir::Cache::archives": folder,
        "APT::Install-Recommends": "false",
        # Other users cannot read a temporary folder, apt's download user neither.
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    command = [
        "apt-get",
        *(f"--option={key}={value}" for key, value in options.items()),
        *("install", "--yes", "--quiet", "--download-only", *recipe.packages),
    ]
    try:
        run(*command)
    except ClusterError:
        # The lists are missing, or so old that the versions in them are gone.
        run("apt-get", "update", "--quiet")
        run(*command)
    if recipe.dependencies:
        return sorted(
            path for path in folder.glob("*.deb") if path.name.split("_")[0] not in INSTALLER_ONLY
        )
    return sorted(path for name in recipe.packages for path in folder.glob(f"{name}_*.deb"))


class Layer:
    """The files of an image, put together in memory as one tar archive.

    Nothing is unpacked to disk, so owners and modes are the packages' own.
    """

    def __init__(self) -> None:
        self._members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def unpack(self, package: Path) -> None:
        """Add the files of a Debian package, other than documentation."""
        done = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", str(package)], capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            for member in archive:
                member.name = _merged(member.name)
                if member.name in ("", ".") or UNREAD.match(f"{member.name}/"):
                    continue
                if member.islnk():
                    member.linkname = _merged(member.linkname)
                content = archive.extractfile(member) if member.isreg() else None
                self._members[member.name] = (member, content.read() if content else b"")

    def folder(self, name: str, mode: int) -> None:
        """Add a folder of root's."""
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self._members[name] = (member, b"")

    def file(self, name: str, text: str) -> None:
        """Add a file of root's that all can read."""
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        self._members[name] = (member, text.encode())

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link, unless there is something of that name."""
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        self._members.setdefault(name, (member, b""))

    def applets(self) -> None:
        """Make busybox, if it is here, available under the names of its applets."""
        busybox = self._members.get("usr/bin/busybox")
        if busybox is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "busybox")
            program.write_bytes(busybox[1])
            program.chmod(0o755)
            listed = subprocess.run(
                [program, "--list-full"], capture_output=True, text=True, check=True
            )
        for applet in listed.stdout.split():
            if not UNREAD.match(f"{applet}/"):
                self.link(_merged(applet), "/usr/bin/busybox")

    def tar(self) -> bytes:
        """The archive: the same bytes for the same files."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            # Hard links come after what they link to.
            for member, content in sorted(
                self._members.values(), key=lambda entry: (entry[0].islnk(), entry[0].name)
            ):
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()


def _merged(name: str) -> str:
    """A file's place where /bin, /sbin and /lib are links into /usr.

    https://wiki.debian.org/UsrMerge
    """
    name = name.removeprefix("./").strip("/")
    top = name.split("/")[0]
    return f"usr/{name}" if top in ("bin", "sbin") or top.startswith("lib") else name


def _layer(packages: Iterable[Path]) -> bytes:
    layer = Layer()
    for package in packages:
        layer.unpack(package)
    for top in ("bin", "sbin", "lib", "lib64"):
        layer.folder(f"usr/{top}", 0o755)
        layer.link(top, f"usr/{top}")
    layer.folder("tmp", 0o1777)
    for name, text in ACCOUNTS.items():
        layer.file(name, text)
    layer.applets()
    return layer.tar()


class Layout:
    """Images as an OCI image layout in one tar archive."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._manifests: list[dict[str, Any]] = []

    def add(self, name: str, recipe: Recipe, packages: list[Path]) -> None:
        """Add an image of one layer."""
        layer = _layer(packages)
        config = {
            # Debian's names are those of the specification: amd64, arm64.
            "architecture": run("dpkg", "--print-architecture").strip(),
            "os": "linux",
            "config": {
                "User": f"{USER}:{USER}",
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": recipe.command,
                "Labels": {"org.opencontainers.image.description": _description(recipe, packages)},
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": self._blob(f"{kind}.config.v1+json", json.dumps(config).encode()),
            # Not compressed: the archive is read once, on the machine that wrote it.
            "layers": [self._blob(f"{kind}.layer.v1.tar", layer)],
        }
        entry = self._blob(f"{kind}.manifest.v1+json", json.dumps(manifest).encode())
        self._manifests.append({**entry, "annotations": {"io.containerd.image.name": name}})

    def write(self, folder: Path) -> None:
        """Write images.tar, and its index once more beside it."""
        folder.mkdir()
        index = json.dumps({"schemaVersion": 2, "manifests": self._manifests}, indent=2)
        (folder / "index.json").write_text(index)
        files = {
            "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
            "index.json": index.encode(),
            **{f"blobs/sha256/{digest[7:]}": blob for digest, blob in self._blobs.items()},
        }
        with tarfile.open(folder / "images.tar", "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    def _blob(self, media_type: str, content: bytes) -> dict[str, Any]:
        digest = _digest(content)
        self._blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _description(recipe: Recipe, packages: list[Path]) -> str:
    """Such as `built from Debian GNU/Linux 12 packages: curl 7.88.1-10+deb12u15, ...`."""
    versions = dict(path.name.split("_")[:2] for path in packages)
    named = (f"{name} {versions[name].replace('%3a', ':')}" for name in recipe.packages)
    system = platform.freedesktop_os_release()
    release = f"{system['NAME']} {system.get('VERSION_ID', '')}".strip()
    return f"built from {release} packages: {', '.join(named)}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
