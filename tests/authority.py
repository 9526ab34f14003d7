"""Certificate authorities of the tests, made by openssl for one of them and then gone."""

import subprocess
import tempfile
import time
from pathlib import Path

_CONFIG = """
[ca]
default_ca = self
[self]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = default
policy = subject
x509_extensions = issuing
[subject]
commonName = optional
[req]
distinguished_name = subject
[issuing]
basicConstraints = critical,CA:{is_ca}
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def make(
    folder: Path,
    name: str = "A",
    begins: int = -3600,
    ends: int = 86400,
    algorithm: tuple[str, ...] = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    is_ca: bool = True,
) -> None:
    """Put a CA's tls.crt and tls.key into a folder, valid within these seconds from now.

    They are put there as the kubelet would: both at once.
    """
    with tempfile.TemporaryDirectory() as made:
        config = Path(made, "config")
        config.write_text(_CONFIG.format(folder=made, is_ca=str(is_ca).upper()))
        Path(made, "index").touch()
        request, key, certificate = (f"{made}/{file}" for file in ("csr", "tls.key", "tls.crt"))
        new = ("-newkey", *algorithm, "-nodes", "-keyout", key, "-out", request)
        openssl("req", "-new", "-config", str(config), *new, "-subj", f"/CN=CA {name} of the tests")
        span = ("-startdate", _moment(begins), "-enddate", _moment(ends))
        sign = ("-selfsign", "-batch", "-notext", "-in", request, "-keyfile", key)
        openssl("ca", "-config", str(config), *sign, *span, "-out", certificate)
        texts = {file: Path(made, file).read_text() for file in ("tls.key", "tls.crt")}
    put(folder, texts)


def put(folder: Path, texts: dict[str, str]) -> None:
    """Put files into a folder as the kubelet does: in a new directory, behind a symbolic link."""
    new = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for name, text in texts.items():
        (new / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").rename(folder / "..data")


def openssl(*words: str, text: str = "") -> str:
    """What a command of openssl prints."""
    done = subprocess.run(
        ["openssl", *words], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _moment(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
