"""Which bundle a fetcher is told to get, and the way there.

By default one that is made here, with a plug-in that greets: deterministic, so that the digest is
known before anything is deployed, and the same on every machine.
"""

import gzip
import hashlib
import io
import ipaddress
import tarfile
from collections.abc import Mapping
from urllib.parse import urlsplit

from .manifest import Object

ENTRY = "plugin.sh"
"""The bundle's file that the app runs."""

# It would show if its files were of two versions.
_PLUGIN = """printf 'Plug-in greeter %s: %s\\n' "$(cat version)" "$(cat greeting)"\n"""


def greeter(args: Mapping[str, object]) -> tuple[bytes, str]:
    """The bundle of DependencyInjection's arguments without a `source`, and what it prints."""
    version, greeting = args.get("version", "1.0.0"), args.get("greeting", "Hello")
    bundle = _packed({ENTRY: _PLUGIN, "greeting": f"{greeting}\n", "version": f"{version}\n"})
    return bundle, f"Plug-in greeter {version}: {greeting}"


def _packed(files: Mapping[str, str]) -> bytes:
    """The files as tar.gz. Nothing is compressed: how small a text gets is up to the library."""
    tar, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        # Python fills it up to 10 KiB.
        end = archive.offset + 2 * tarfile.BLOCKSIZE
    with gzip.GzipFile("", "wb", compresslevel=0, fileobj=packed, mtime=0) as stream:
        stream.write(tar.getvalue()[:end])
    return packed.getvalue()


def offer(args: Mapping[str, object]) -> dict[str, str]:
    """What DependencyInjection's arguments say of the wanted bundle, its URL aside.

    Raises ValueError where they don't fit each other.
    """
    if "source" in args and ("sha256" not in args or "greeting" in args):
        found = "a greeting" if "greeting" in args else "no sha256"
        raise ValueError(f"source: found {found} with it, allowed is sha256 and no greeting")
    if "source" not in args and "size" in args:
        raise ValueError("size: found without source, allowed is with it")
    if "source" in args:
        port_of(str(args["source"]))
    bundle, _ = greeter(args)
    digest = str(args.get("sha256", hashlib.sha256(bundle).hexdigest()))
    size = args.get("size") if "source" in args else len(bundle)
    return {
        "version": str(args.get("version", digest[:12] if "source" in args else "1.0.0")),
        "sha256": digest,
        **({} if size is None else {"size": str(size)}),
    }


def port_of(url: str) -> int:
    """The port that a URL leads to. Raises ValueError for one that can't be fetched from."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        wrong = not parts.hostname or "@" in parts.netloc or any(map(str.isspace, url))
    except (KeyError, ValueError):
        port, wrong = 0, True
    if wrong:
        # Credentials would stand where all can read them.
        raise ValueError("allowed are URLs such as https://example.org/it.tar.gz, no credentials")
    return port


def egress_to_url(url: str, cidr: str | None) -> list[Object]:
    """The rules of a network policy that let a pod fetch from a URL and look up its host's name.

    `cidr` are the addresses that it may have. Default: any.
    """
    rule: Object = {"ports": [{"protocol": "TCP", "port": port_of(url)}]}
    if cidr is not None:
        rule["to"] = [{"ipBlock": {"cidr": cidr}}]
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return [rule, {"ports": [{"protocol": name, "port": 53} for name in ("UDP", "TCP")]}]
    return [rule]
