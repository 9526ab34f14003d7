"""The local cluster's images, made from Debian packages.

No registry is needed, only the machine's own apt sources. Each image holds the files of
a few packages and what they link to, without documentation, and is named for what it is.
"""

import hashlib
import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.images.archive import Layout
from tools.paths import CACHE
from tools.programs import ClusterError, run

REPOSITORY = "localhost/sidecar-powers"
TAG = "bookworm"
PAUSE = f"{REPOSITORY}/pause:{TAG}"
"""What holds a pod's namespaces open, and reaps for it if its containers share processes."""


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
    "busybox": Recipe(("busybox-static", "inotify-tools"), ("sh",)),
    "nginx": Recipe(
        ("nginx-light", "busybox-static", "inotify-tools"),
        ("nginx", "-e", "stderr", "-g", "daemon off;"),
    ),
    "curl": Recipe(("curl", "busybox-static"), ("sh",)),
    "python": Recipe(("python3", "openssl", "busybox-static"), ("python3",)),
    "toolbox": Recipe(("strace", "liblzma5", "python3", "busybox-static"), ("sh",)),
}

INSTALLER_ONLY = {
    *("debconf", "debianutils", "dpkg", "gcc-12-base", "iproute2", "libacl1", "libbpf1"),
    *("libbsd0", "libbz2-1.0", "libcap2", "libcap2-bin", "libdb5.3", "libelf1", "liblzma5"),
    *("libmd0", "libmnl0", "libselinux1", "libtirpc-common", "libtirpc3", "libxtables12", "tar"),
}
"""Dependencies that only installing needs, or a service manager, unless a recipe names them."""


def ensure(report: Callable[[str], None]) -> Path:
    """Make the images unless this machine has them, and return the folder they are in.

    Takes about 10 s and 30 MB of downloads. What is made stays, so newer packages come in
    only once that folder is deleted. Raises ClusterError if apt fails.
    """
    # Whatever changes in these files may change the images.
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    folder = CACHE / "images" / hashlib.sha256(sources).hexdigest()[:12]
    if folder.exists():
        return folder
    report("Making the images from Debian packages, once per machine")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        layout = Layout()
        with tempfile.TemporaryDirectory() as downloads:
            for name, recipe in RECIPES.items():
                packages = _download(recipe, Path(downloads, name))
                about = _description(recipe, packages)
                layout.add(f"{REPOSITORY}/{name}:{TAG}", packages, recipe.command, about)
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
        try:
            run("apt-get", "update", "--quiet")
            run(*command)
        except ClusterError as error:
            raise ClusterError(f"No Debian packages for the images: {error}") from None
    if recipe.dependencies:
        left_out = INSTALLER_ONLY - {*recipe.packages}
        return sorted(
            path for path in folder.glob("*.deb") if path.name.split("_")[0] not in left_out
        )
    return sorted(path for name in recipe.packages for path in folder.glob(f"{name}_*.deb"))


def _description(recipe: Recipe, packages: list[Path]) -> str:
    """Such as `built from Debian GNU/Linux 12 packages: curl 7.88.1-10+deb12u15, ...`."""
    versions = dict(path.name.split("_")[:2] for path in packages)
    named = (f"{name} {versions[name].replace('%3a', ':')}" for name in recipe.packages)
    system = platform.freedesktop_os_release()
    release = f"{system['NAME']} {system.get('VERSION_ID', '')}".strip()
    return f"built from {release} packages: {', '.join(named)}"
