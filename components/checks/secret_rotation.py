"""The Secret's token is accepted and no other, and its value stands nowhere else.

No check knows a token: what must be compared with one is compared in the pod.
"""

from base64 import b64encode
from collections.abc import Iterator

from ..secret_rotation import KEY, LIVE, SOURCE, SecretRotationArgs
from . import SLACK, Check, Line, Live, UnmetError, read_only

ACCEPTED = 20
"""Seconds from the changed file to the token that is accepted everywhere."""

LINES = 1000
"""How much of each log is looked at."""

_CONTAINERS = ("main-app", "token-keeper")

_CHUNK = 4000
"""Characters of a log that one command takes along."""

# What nginx answers to the Secret's token, to none, and to another one. No argument has the token.
_ASK = """
python3 -I -S -c '
import socket
with open("{source}", "rb") as file:
    token = file.read().rstrip(b"\\n")
def ask(header):
    with socket.create_connection(("127.0.0.1", {port}), timeout=5) as nginx:
        nginx.sendall(b"GET / HTTP/1.0\\r\\n" + header + b"\\r\\n")
        return nginx.recv(99).split()[1].decode()
shown = b"Authorization: Bearer " + token
print(ask(shown + b"\\r\\n"), ask(b""), ask(shown + b"x\\r\\n"))
' 2>&1 | tail -n 1
"""

# Whether an accepted token stands in what a command prints.
_SEARCH = """
seen=$({command})
while read -r _ _ token; do
  case $seen in
    *"$token"*) echo found ;;
    *) echo absent ;;
  esac
done <{live}/tokens
"""

_PROCESSES = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"


def checks(args: SecretRotationArgs) -> list[Check]:
    """What must be true of a pod of SecretRotation."""
    port, interval = args.get("port", 8080), args.get("interval_seconds", 60)

    def told_apart(live: Live) -> str:
        command = _ASK.format(port=port, source=f"{SOURCE}/{KEY}")

        def look() -> str:
            seen = live.run("token-keeper", command).strip()
            if seen != "200 401 401":
                raise UnmetError(f"the Secret's token, none and another are answered by {seen}")
            return "200 with the Secret's token, 401 without and with another"

        return live.until(look)

    def accepting(live: Live) -> str:
        def look() -> str:
            status = live.run("token-keeper", f"cat {LIVE}/status").strip()
            if not status.startswith("accepting the token of "):
                raise UnmetError(f"the sidecar says: {status}")
            return status

        return live.until(look)

    def only_there(live: Live) -> str:
        spec = live.pod()["spec"]
        secret = {volume["name"] for volume in spec["volumes"] if "secret" in volume}
        containers = [*spec.get("initContainers", []), *spec["containers"]]
        mounts = [
            container["name"]
            for container in containers
            for mount in container.get("volumeMounts", [])
            if mount["name"] in secret
        ]
        if mounts != ["token-keeper"] or spec.get("shareProcessNamespace"):
            shared = ", and processes are shared" if spec.get("shareProcessNamespace") else ""
            raise UnmetError(f"mounted by {', '.join(mounts) or 'nobody'}{shared}")
        seen = live.run("main-app", f"ls {SOURCE} 2>&1; echo looked")
        if KEY in seen.split() or not seen.endswith("looked\n"):
            raise UnmetError(f"main-app has {seen!r} at {SOURCE}")
        return "mounted by token-keeper"

    def in_memory_alone(live: Live) -> str:
        for container in _CONTAINERS:
            if _search(live, container, _PROCESSES):
                raise UnmetError(f"a process of {container} has it as argument or environment")
        count = 0
        for container in _CONTAINERS:
            for text in _chunks(live.last_lines(container, LINES)):
                count += 1
                encoded = b64encode(text.encode()).decode()
                if _search(live, "token-keeper", f"echo {encoded} | base64 -d"):
                    raise UnmetError(f"it is in the log of {container}")
        return f"in none of their processes, in none of {count} pieces of their logs"

    return [
        Check(
            "tokens told apart",
            "nginx answers 200 to the Secret's token, 401 to none and to another",
            interval + ACCEPTED + SLACK,
            told_apart,
        ),
        Check(
            "status",
            "the sidecar says that it accepts the token",
            interval + ACCEPTED + SLACK,
            accepting,
        ),
        Check(
            "Secret in the sidecar alone",
            "only token-keeper mounts the Secret, and no other container sees its files",
            SLACK,
            only_there,
        ),
        Check(
            "value is not told",
            "no accepted token is in an environment, an argument or a log",
            4 * SLACK,
            in_memory_alone,
        ),
        read_only("main-app", LIVE),
    ]


def _search(live: Live, container: str, command: str) -> bool:
    """Whether an accepted token is in what a command prints there."""
    seen = live.run(container, _SEARCH.format(command=command, live=LIVE)).split()
    if not seen or not set(seen) <= {"found", "absent"}:
        raise UnmetError(f"{container} can't compare its tokens: {' '.join(seen)}")
    return "found" in seen


def _chunks(lines: list[Line]) -> Iterator[str]:
    """A log in pieces, whole lines each."""
    piece = ""
    for line in lines:
        if piece and len(piece) + len(line.text) > _CHUNK:
            yield piece
            piece = ""
        piece += f"{line.text}\n"
    if piece:
        yield piece
