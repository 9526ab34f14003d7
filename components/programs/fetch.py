"""Fetching a file over HTTP from a source that nobody trusts."""

import signal
import socket
import ssl
import time
from contextlib import closing
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    InvalidURL,
)
from pathlib import Path
from string import punctuation
from threading import Thread
from types import FrameType
from urllib.parse import quote, urljoin, urlsplit

from .basics import drop

PORTS = {"http": 80, "https": 443}

CONNECT, ADDRESS = 5, 2
"""Seconds that a connection may take with the lookup of the name, and each address of the name."""

SLOW, PATIENCE = 1024, 10
"""A source that sends fewer bytes a second for so many seconds is given up."""

WHOLE = 300
"""Seconds after which any source is given up."""

MOVED, REDIRECTS = (301, 302, 303, 307, 308), 5
"""What answers lead elsewhere, and how many of them are followed."""


class FetchError(Exception):
    """Why something can't be fetched."""


def fetch(url: str, file: Path, most: int) -> None:
    """Put there what is at the URL, at most so many bytes. Raises FetchError."""
    # Whatever it waits for, a lookup aside, this ends it.
    signal.signal(signal.SIGALRM, _give_up)
    try:
        drop(file)
        for _ in range(1 + REDIRECTS):
            with closing(_asked(url)) as connection:
                response = connection.getresponse()
                moved = response.getheader("Location") if response.status in MOVED else None
                if moved is None:
                    _save(response, file, most)
                    return
            url = urljoin(url, moved)
        raise FetchError(f"more than {REDIRECTS} redirects")
    except OSError as error:
        raise FetchError(error.strerror or str(error)) from None
    except (ValueError, InvalidURL):
        raise FetchError("its URL is not valid") from None
    except IncompleteRead:
        raise FetchError("transfer closed before its end") from None
    except HTTPException as error:
        raise FetchError(f"what the source sends is not HTTP: {type(error).__name__}") from None
    finally:
        signal.alarm(0)


def _asked(url: str) -> HTTPConnection:
    """A connection on which the answer to this request comes."""
    signal.alarm(CONNECT + PATIENCE)
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise FetchError("its URL is neither http nor https")
    host, port = parts.hostname, parts.port or PORTS[parts.scheme]
    sock = _connected(host, port)
    connection = HTTPConnection(host, port)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        sock = context.wrap_socket(sock, server_hostname=host)
        connection = HTTPSConnection(host, port, context=context)
    connection.sock = sock
    query = f"?{parts.query}" if parts.query else ""
    # Whatever is no ASCII; what is quoted already stays.
    target = quote(f"{parts.path or '/'}{query}", safe=punctuation)
    connection.request("GET", target, headers={"Accept": "*/*", "User-Agent": "plugin-fetcher"})
    return connection


def _connected(host: str, port: int) -> socket.socket:
    """A connection to the host.

    A thread makes it: nothing interrupts the lookup of a name, neither TERM nor an alarm.
    """
    made: list[socket.socket | Exception] = []

    def connect() -> None:
        try:
            made.append(socket.create_connection((host, port), ADDRESS))
        except (OSError, ValueError) as error:
            made.append(error)

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT)
    result = made[0] if made else TimeoutError("timed out")
    if isinstance(result, socket.gaierror):
        raise FetchError(f"Could not resolve host {host}: {result.strerror}")
    if isinstance(result, Exception):
        reason = getattr(result, "strerror", None) or str(result)
        raise FetchError(f"no connection to {host} port {port}: {reason}")
    # From now on the alarm tells when to give up.
    result.settimeout(None)
    return result


def _save(response: HTTPResponse, file: Path, most: int) -> None:
    """Put there what the source sends."""
    if response.status // 100 != 2:
        raise FetchError(f"the source answers {response.status}")
    if (response.length or 0) > most:
        raise FetchError(f"it has more than {most} bytes")
    end, got, seen = time.monotonic() + WHOLE, 0, 0
    signal.alarm(PATIENCE)
    with file.open("wb") as saved:
        while part := response.read1(65536):
            got += len(part)
            if got > most:
                raise FetchError(f"it has more than {most} bytes")
            saved.write(part)
            if time.monotonic() > end:
                raise FetchError(f"it takes more than {WHOLE} s")
            if got - seen >= SLOW * PATIENCE:
                seen = got
                signal.alarm(PATIENCE)
    if response.length:
        raise FetchError(f"transfer closed with {response.length} bytes remaining to read")


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise FetchError(f"slower than {SLOW} bytes/s for {PATIENCE} s")
