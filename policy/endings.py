"""Rules about signals and the time to end: who gets a signal, and whether there is time for it."""

import re
from collections.abc import Iterable, Iterator

from policy.manifests import Manifests, Part, Pod, found, inner, listed
from policy.model import Finding

DRAIN = "sidecar-powers/drain-seconds"
"""Annotation of a pod: how long its app takes to end after TERM."""

_GRACE_S = 30
"""What Kubernetes gives a pod that doesn't say."""

_KILL_1 = re.compile(
    r"""\bkill(?:\s+(?:-\S+|[A-Z]+|\d+|["']?\$\{?\w+\}?["']?))*?\s+["']?1["']?(?=\s|$|[;&|)])"""
)
"""`kill` with process 1 among what it signals; `-1` is a signal, or everybody."""


def pid_1_not_signalled(manifests: Manifests) -> Iterable[Finding]:
    """No command signals process 1."""
    for pod in manifests.pods:
        shared = pod.spec.get("shareProcessNamespace") is True
        for container in pod.all_containers:
            for path, words in _commands(container, shared):
                if any(map(_KILL_1.search, _lines(words))):
                    allowed = "a process that is looked for, never 1"
                    yield Finding(pod.object, found(path, "kill 1", allowed))


def grace_period(manifests: Manifests) -> Iterable[Finding]:
    """Hooks and the app's draining end before the kubelet ends the container.

    All preStop hooks begin at once; then the app gets TERM, and after it the native sidecars.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
    """
    for pod in manifests.pods:
        grace = pod.spec.get("terminationGracePeriodSeconds")
        hooks = max(map(_pre_stop, pod.containers(init=False)), default=0.0)
        drain = _drain(pod)
        given = _GRACE_S if grace is None else grace
        if given < hooks + drain:
            allowed = f"at least {hooks + drain:g}: {hooks:g} for preStop, {drain:g} to drain"
            path = f"{pod.path}spec.terminationGracePeriodSeconds"
            yield Finding(pod.object, f"{path}: found {given:g}, allowed is {allowed}")


def _lines(words: list[object]) -> Iterator[str]:
    """The lines of the texts that a command runs, and the command itself if it is `kill`."""
    texts = [str(word) for word in words]
    if texts and texts[0].rpartition("/")[2] == "kill":
        yield " ".join(["kill", *texts[1:]])
    for text in texts:
        for line in text.splitlines():
            if not line.lstrip().startswith("#"):
                yield line


def _commands(container: Part, shared: bool) -> Iterator[tuple[str, list[object]]]:
    """What a container runs; hooks of its own process 1 only where it isn't the pod's."""
    words = [*listed(container.value, "command"), *listed(container.value, "args")]
    yield f"{container.path}.command", words
    hooks = inner(container.value, "lifecycle")
    if shared:
        for name in hooks:
            command = listed(hooks, name, "exec", "command")
            yield f"{container.path}.lifecycle.{name}.exec.command", [*command]


def _pre_stop(container: Part) -> float:
    """How long a container's preStop hook sleeps, as far as the manifest says."""
    hook = inner(container.value, "lifecycle", "preStop")
    sleep = inner(hook, "sleep").get("seconds") or 0
    words = " ".join(map(str, listed(hook, "exec", "command")))
    return float(sleep) + sum(map(float, re.findall(r"\bsleep\s+(\d+(?:\.\d+)?)\b", words)))


def _drain(pod: Pod) -> float:
    text = inner(pod.metadata, "annotations").get(DRAIN, "0")
    try:
        return float(text)
    except ValueError:
        # What can't be read leaves no time that would do.
        return float("inf")
