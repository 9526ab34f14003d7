"""Puts images together: the files of Debian packages into a layer, layers into an archive.

The archive follows https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import hashlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tools.programs import run

USER = 65532
"""The user of every image unless a pod names another: any but root."""

UNREAD = re.compile(r"usr/share/(doc|man|locale|lintian|vim)/|etc/init\.d/|.*/gconv/|linuxrc/")
"""What no container reads."""

_MODULE = re.compile(r"usr/lib/python3\.\d+/.*\.py$")

ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n",
}


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

    def compiled(self) -> None:
        """Compile Python's own modules, as installing its packages does: a program then starts in
        half the time, and with half the memory."""
        modules = {
            name: content
            for name, (_, content) in self._members.items()
            if _MODULE.match(name) and content
        }
        if not modules:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in modules.items():
                file = Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            # By Debian's Python, as its packages are. What isn't compiled is compiled when it is
            # imported, so files of older syntax that are kept for tests may fail.
            options = [
                "-q",
                "-j0",
                "-s",
                folder,
                "-p",
                "/",
                "--invalidation-mode",
                "unchecked-hash",
            ]
            subprocess.run(
                ["/usr/bin/python3", "-m", "compileall", *options, folder],
                stdout=subprocess.DEVNULL,
                check=False,
            )
            for file in Path(folder).rglob("*.pyc"):
                member = tarfile.TarInfo(str(file.relative_to(folder)))
                content = file.read_bytes()
                member.size = len(content)
                self._members[member.name] = (member, content)

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
    """The tar archive of an image's only layer."""
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
    layer.compiled()
    return layer.tar()


class Layout:
    """Images as an OCI image layout in one tar archive."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._manifests: list[dict[str, Any]] = []

    def add(
        self, name: str, packages: Iterable[Path], command: Sequence[str], description: str
    ) -> None:
        """Add an image that holds the files of some Debian packages and runs a command."""
        layer = _layer(packages)
        config = {
            # Debian's names are those of the specification: amd64, arm64.
            "architecture": run("dpkg", "--print-architecture").strip(),
            "os": "linux",
            "config": {
                "User": f"{USER}:{USER}",
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": command,
                "Labels": {"org.opencontainers.image.description": description},
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


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
