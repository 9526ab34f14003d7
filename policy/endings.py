"""Rules about signals and the time to end: who gets a signal, and whether there is time for it."""

import re
from collections.abc import Iterable, Iterator, Sequence

from components.parts import DRAIN
from policy.manifests import Manifests, Part, found, inner, plain, texts
from policy.model import Finding

_GRACE_S = 30
"""What Kubernetes gives a pod that doesn't say."""

_HANDLERS = [
    *(("lifecycle", hook) for hook in ("postStart", "preStop")),
    *((probe,) for probe in ("livenessProbe", "readinessProbe", "startupProbe")),
]
"""Where the kubelet runs commands in a container."""

_KILL_1 = re.compile(
    r"""(?:^|[;&|(`!]|\b(?:do|else|exec|sudo|then|trap)\b|["'])\s*(?:/\S*/)?kill"""
    r"""(?:\s+(?:-[sn]\s+\S+|-(?![snlL0]\b)\S+|[A-Za-z]+|\d+|["']?\$\S+))*?"""
    r"""\s+["']?1["']?(?=\s|$|[;&|)"'])"""
)
"""`kill` where a command begins, with process 1 among what it signals."""

_SLEEP = re.compile(r"\bsleep\s+(\d+(?:\.\d+)?|infinity)([smhd]?)\b")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def pid_1_not_signalled(manifests: Manifests) -> Iterable[Finding]:
    """No command signals process 1."""
    for pod in manifests.pods:
        shared = pod.spec.get("shareProcessNamespace") is True
        for container in pod.all_containers:
            for path, words in _commands(container, shared):
                for line in _lines(words):
                    if _KILL_1.search(line):
                        allowed = "a process that is looked for, never 1"
                        yield Finding(pod.object, found(path, line.strip(), allowed))


def grace_period(manifests: Manifests) -> Iterable[Finding]:
    """Hooks and the app's draining end before the kubelet ends the container.

    All preStop hooks begin at once; then the app gets TERM, and after it the native sidecars.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
    """
    for pod in manifests.pods:
        path = f"{pod.path}spec.terminationGracePeriodSeconds"
        note = f"{pod.path}metadata.annotations.{DRAIN}"
        given = {
            path: pod.spec.get("terminationGracePeriodSeconds", _GRACE_S),
            note: inner(pod.metadata, "annotations").get(DRAIN, "0"),
        }
        grace, drain = (_seconds(value) for value in given.values())
        if grace is None or drain is None:
            where = path if grace is None else note
            yield Finding(pod.object, found(where, given[where], "a number of seconds"))
            continue
        hooks = max(map(_pre_stop, pod.containers(init=False)), default=0.0)
        if grace < hooks + drain:
            allowed = f"at least {hooks + drain:g}: {hooks:g} for preStop, {drain:g} to drain"
            yield Finding(pod.object, found(path, grace, allowed))


def _commands(container: Part, shared: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """What runs in a container. Hooks and probes may signal process 1 where it is its own."""
    words = [*texts(container.value, "command"), *texts(container.value, "args")]
    yield f"{container.path}.command", words
    if shared:
        for path in _HANDLERS:
            words = texts(container.value, *path, "exec", "command")
            yield f"{container.path}.{'.'.join(path)}.exec.command", words


def _lines(words: Sequence[str]) -> Iterator[str]:
    """The lines of the scripts that a command runs, without comments, those put together that go
    on in the next one; and the command itself where it is a program with its arguments."""
    if words:
        script = any("\n" in word for word in words)
        yield "" if script else " ".join([words[0].rpartition("/")[2], *words[1:]])
    for word in words:
        for line in word.replace("\\\n", " ").splitlines():
            if not line.lstrip().startswith("#"):
                yield line


def _pre_stop(container: Part) -> float:
    """How many seconds a container's preStop hook sleeps, as far as the manifest says."""
    hook = inner(container.value, "lifecycle", "preStop")
    whole, *lines = [*_lines(texts(hook, "exec", "command")), ""]
    # A script says it in its lines, a program in its arguments.
    found = _SLEEP.findall("\n".join(lines)) or _SLEEP.findall(whole)
    written = sum(float(number) * _UNITS_S[unit] for number, unit in found)
    return written + (_seconds(inner(hook, "sleep").get("seconds", 0)) or 0)


def _seconds(value: object) -> float | None:
    """A number of seconds, None if it can't be read."""
    text = plain(value)
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
