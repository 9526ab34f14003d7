"""Installs what the other commands need, side by side, and nothing twice.

    python3 tools/toolchain.py python  # the virtual environment
    python3 tools/toolchain.py test    # and what the unit tests run
    python3 tools/toolchain.py engine  # the virtual environment and the Pulumi CLI
    python3 tools/toolchain.py local   # and Kubernetes, for the local cluster
    python3 tools/toolchain.py e2e     # and what the cluster tests run
    python3 tools/toolchain.py verify  # the virtual environment, and what looks at a cluster
    python3 tools/toolchain.py docs    # the virtual environment and what draws the pictures
    python3 tools/toolchain.py bench   # what local needs, and what it is measured against

Runs under the system's Python, before there is a virtual environment, so it
uses the standard library alone. On Debian as root it installs the packages it
needs; elsewhere it names what is missing.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.errors import CommandError
from tools.paths import CACHE, GO, ROOT, built
from tools.programs import BINARIES, NODE, TESTS, VERIFY, missing

VENV = ROOT / ".venv"
LAUNCHERS = ROOT / "tools" / "launchers"
PYTHON = (3, 11)
PULUMI = (3, 225)
"""The oldest CLI that is used as it is found; the one that is built otherwise."""

_PEERS = ROOT / "requirements-bench.txt"
PEERS = CACHE / "bin" / f"cdk8s-{hashlib.sha256(_PEERS.read_bytes()).hexdigest()[:12]}"
"""The virtual environment of what the benchmarks compare with."""

GOALS: dict[str, dict[str, str]] = {
    "python": {},
    "test": TESTS,
    "engine": {},
    "local": NODE,
    "e2e": {**NODE, **VERIFY},
    "verify": VERIFY,
    "docs": {},
    "bench": NODE,
}
"""What can be installed, and the system's programs for it."""

_KUBERNETES = "k8s.io/kubernetes/cmd"


def say(line: str) -> None:
    """Show one line of progress."""
    print(line, file=sys.stderr, flush=True)


def step(name: str, work: Callable[[], object]) -> None:
    """Do long work, showing that it starts, that it goes on and that it is done."""
    started, done = time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(30):
            say(f"  {name}: {time.monotonic() - started:.0f} s so far")

    say(f"  {name}")
    threading.Thread(target=beat, daemon=True).start()
    try:
        work()
    finally:
        done.set()
    say(f"  {name}: done in {time.monotonic() - started:.0f} s")


def run(*command: str | Path, **env: str) -> None:
    """Run a program quietly; show what it printed if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        words = " ".join(str(word) for word in command[:4])
        raise CommandError(f"{words} ... failed with exit code {done.returncode}:\n{tail}")


def system_packages(programs: Mapping[str, str]) -> None:
    """Install the Debian packages of programs that are missing."""
    packages = sorted(missing(programs))
    if not (VENV / "bin" / "python").exists() and not _has_venv():
        packages.append("python3-venv")
    if not packages:
        return
    names = " ".join(packages)
    if not (os.geteuid() == 0 and shutil.which("apt-get")):
        raise CommandError(
            f"Please install {names} (Debian's names), or run this as root on Debian."
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}

    def install() -> None:
        run("apt-get", "update", **quiet)
        run("apt-get", "install", "--yes", "--no-install-recommends", *packages, **quiet)

    step(f"Debian packages {names}", install)


def _has_venv() -> bool:
    return (
        subprocess.run(
            [sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False
        ).returncode
        == 0
    )


def python_packages() -> None:
    """Make the virtual environment, again only when the requirements have changed."""
    files = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
    stamp = VENV / f".installed-{_digest(*files)}"
    if stamp.exists():
        return

    def install() -> None:
        run(sys.executable, "-m", "venv", VENV)
        options = [word for file in files for word in ("--requirement", file)]
        run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", *options)
        stamp.touch()

    step("Python packages", install)


def pulumi_found() -> bool:
    """Whether PATH has a Pulumi CLI that is new enough and comes with its companions."""
    found = shutil.which("pulumi")
    if not found or not shutil.which("pulumi-language-python"):
        return False
    version = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
    numbers = re.findall(r"\d+", version)
    return tuple(map(int, numbers[:2])) >= PULUMI


def pulumi() -> None:
    """Build the Pulumi CLI, unless there is one."""
    version = "3.225.0"
    variable = f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}"
    if not pulumi_found():
        _go_install(
            "pulumi",
            f"Pulumi {version}",
            ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"],
            [variable],
        )


def kubernetes() -> None:
    """Build what the local cluster runs of Kubernetes, and kubectl unless there is one."""
    _build_kubernetes(*BINARIES, *([] if shutil.which("kubectl") else ["kubectl"]))


def kubectl() -> None:
    """Build kubectl unless there is one."""
    if not shutil.which("kubectl"):
        _build_kubernetes("kubectl")


def _build_kubernetes(*commands: str) -> None:
    version = "1.35.2"
    base, (major, minor, _) = "k8s.io/component-base/version", version.split(".")
    variables = [
        f"{base}.gitVersion=v{version}",
        f"{base}.gitMajor={major}",
        f"{base}.gitMinor={minor}",
    ]
    packages = [f"{_KUBERNETES}/{command}" for command in commands]
    name = "kubectl" if commands == ("kubectl",) else "Kubernetes"
    _go_install("kubernetes", f"{name} {version}", packages, variables)


def actionlint() -> None:
    """Build actionlint, which checks the workflows."""
    package = "github.com/rhysd/actionlint/cmd/actionlint"
    _go_install("actionlint", "actionlint 1.7.12", [package], [])


def pod_security() -> None:
    """Download the pods by which Kubernetes tests Pod Security, unless they are there."""
    module = "k8s.io/pod-security-admission"
    run(_go("tests read Kubernetes' own pods"), "-C", GO / "kubernetes", "mod", "download", module)


def kube_score() -> None:
    """Build kube-score, which judges manifests."""
    package = "github.com/zegl/kube-score/cmd/kube-score"
    _go_install("kube-score", "kube-score 1.20.0", [package], [])


def peers() -> None:
    """Build or install what the benchmarks hold the project against."""
    _go_install("helm", "Helm 4.3.1", ["helm.sh/helm/v4/cmd/helm"], [])
    _go_install("kwok", "kwok 0.8.0", ["sigs.k8s.io/kwok/cmd/kwok"], [])
    if not (PEERS / ".installed").exists():

        def install() -> None:
            run(sys.executable, "-m", "venv", PEERS)
            run(PEERS / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", _PEERS)
            (PEERS / ".installed").touch()

        step("cdk8s", install)


def d2() -> None:
    """Build D2, which draws the pictures of the documentation."""
    _go_install("d2", "D2 0.7.1", ["oss.terrastruct.com/d2"], [])


def images() -> None:
    """Make the images of the local stack."""
    from tools.images import ensure

    ensure(lambda line: say(f"  {line}"))


def _go_install(module: str, name: str, packages: list[str], variables: list[str]) -> None:
    """Build tools of one of the modules in tools/go."""
    folder = built(module)
    wanted = [package for package in packages if not (folder / Path(package).name).exists()]
    if not wanted:
        return
    go = _go(f"{name} is built from source")
    flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in variables)])

    def build() -> None:
        # Built beside and moved, so that an interrupted build leaves nothing that looks finished.
        unfinished = folder.with_name(f"{folder.name}-{os.getpid()}")
        run(
            go,
            "-C",
            GO / module,
            "install",
            "-ldflags",
            flags,
            *wanted,
            GOBIN=str(unfinished),
            CGO_ENABLED="0",
            GOFLAGS="-mod=readonly -buildvcs=false",
        )
        folder.mkdir(parents=True, exist_ok=True)
        for binary in unfinished.iterdir():
            binary.replace(folder / binary.name)
        unfinished.rmdir()

    step(f"{name}, built from source", build)


def _go(purpose: str) -> str:
    """The Go toolchain. Raises CommandError if there is none."""
    go = shutil.which("go")
    if go is None:
        raise CommandError(f"Please install Go 1.25 or later: {purpose}.")
    return go


def path() -> str:
    """PATH with what was built in front, where the machine has none of its own."""
    front = [] if pulumi_found() else [str(built("pulumi")), str(LAUNCHERS)]
    back = [str(built("kubernetes"))]
    return os.pathsep.join([*front, os.environ.get("PATH", ""), *back])


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def install(goal: str) -> None:
    """Install what a goal needs."""
    local = goal in ("local", "e2e", "bench")
    if local and platform.system() != "Linux":
        raise CommandError("The local cluster needs Linux; other stacks go to your own clusters.")
    system_packages(GOALS[goal])
    # What takes longest comes first.
    work = [kubernetes] if local else []
    work.append(python_packages)
    if local or goal == "engine":
        work.append(pulumi)
    if local:
        work.append(images)
    if goal == "test":
        work += [actionlint, pod_security]
    if goal == "e2e":
        work.append(kube_score)
    if goal == "verify":
        work.append(kubectl)
    if goal == "docs":
        work.append(d2)
    if goal == "bench":
        work.append(peers)
    with ThreadPoolExecutor() as pool:
        running: list[Future[None]] = [pool.submit(task) for task in work]
    for task in running:
        task.result()


def main() -> None:
    """The command line."""
    if sys.version_info < PYTHON:
        sys.exit(
            f"Please install Python 3.11 or later: {sys.executable} is {platform.python_version()}."
        )
    if len(sys.argv) != 2 or sys.argv[1] not in GOALS:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(GOALS)}")
    try:
        install(sys.argv[1])
    except CommandError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted; run it again to go on.")


if __name__ == "__main__":
    main()
