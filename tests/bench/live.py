"""What is measured on the local cluster: the engine, the kubelet, and what runs idle."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import objects, peers, stacks
from tests.bench.environment import HELM, kubectl
from tests.bench.model import Measure, Object
from tests.bench.process import (
    RUNS,
    Command,
    Sample,
    Work,
    apart,
    in_turn,
    middle,
    run,
    stolen,
    wall,
)
from tests.cluster.faults import statuses
from tests.cluster.project import Cluster, Project
from tools import engine, paths

GROUP = "Deploy"
_wall = partial(wall, GROUP)
FIVE: Object = {demo: {} for demo in objects.DEMOS}
_ARTICLE = Path(__file__).with_name("article.yaml")
_PODS = 5
"""Of the article's manifests."""
_MORE = 3 * RUNS
"""A tenth of a second is looked for in three, and single runs differ by as much."""
_TIMES = 3
"""Ups and downs in a turn, of which the one in the middle counts: each takes a second more or less,
and now and then the kubelet is five seconds late in telling that a pod is ready."""


def measures(folder: Path, say: Callable[[str], None]) -> Iterator[Measure]:
    """Preview, deploy and remove, ours and the peers in turn."""
    say("preview of all demos")
    yield from _preview(folder / "preview")
    say("up and down of the five demos")
    yield from _deploy(folder / "deploy", Cluster())


def _preview(folder: Path) -> Iterator[Measure]:
    folder.mkdir()
    yield from _previews(folder / "all", "preview of all demos", 1.05)
    # What is ours whatever a stack has: the settings and their library.
    one: Object = {objects.DEMOS[0]: {}}
    yield from _previews(folder / "one", "preview of one demo", None, demos=one)


def _previews(folder: Path, name: str, aim: float | None, **settings: Any) -> Iterator[Measure]:
    folder.mkdir()
    with stacks.project(folder / "ours", **settings) as ours:
        made = objects.rendered(engine.LOCAL, ours.config)
        with stacks.raw(folder / "raw", made) as raw:
            left, right = ours.registered(), raw.registered()
            objects.assert_same("raw Pulumi", map(_shown, left), map(_shown, right))
            commands = [stacks.command(program, "preview") for program in (ours, raw)]
            works = [lambda command=command: run(command) for command in commands]
            a, b = in_turn(*works, runs=_MORE)
    yield _wall(f"{name}, {len(made)} objects", "raw Pulumi, the same objects", a, b, aim)


def _shown(item: Object) -> Object:
    """An object as a preview shows it to anybody: of a Secret only the keys."""
    hidden = {part: sorted(item[part]) for part in {"data", "stringData"} & item.keys()}
    return {**item, **hidden} if item["kind"] == "Secret" else item


def _deploy(folder: Path, cluster: Cluster) -> Iterator[Measure]:
    folder.mkdir()
    with (
        stacks.project(folder / "ours", demos=FIVE) as ours,
        stacks.raw(folder / "alone", _namespace(ours)) as alone,
        _article(folder / "article", cluster) as article,
    ):
        up = stacks.command(ours, *stacks.UP)
        namespace = "*:Namespace::*"
        down = stacks.command(
            ours, "destroy", "--yes", "--skip-preview", "--exclude", f"**{namespace}*"
        )
        downs: dict[Sample, Sample] = {}
        up_apart, down_apart = apart(up), apart(down)

        def deployed() -> Sample:
            made: list[Sample] = []
            removed: list[Sample] = []
            for _ in range(_TIMES):
                made.append(up_apart())
                removed.append(down_apart())
                ours.destroy()
            sample = middle(made)
            downs[sample] = middle(removed)
            return sample

        def least() -> Sample:
            sample = run(stacks.command(alone, *stacks.UP))
            alone.destroy()
            return sample

        helm = _helm(folder / "helm", ours)
        kube = _kubectl(folder / "kubectl", ours)
        ups = in_turn(deployed, *(_removed(*peer) for peer in (helm, kube)), least, article)
        name = "up of the five demos until all are ready"
        yield _wall(name, "helm install --wait, the same objects", ups[0], ups[1], 0.7)
        yield _wall(name, "kubectl apply and wait, the same objects", ups[0], ups[2], 2.0)
        yield Measure(
            group=GROUP,
            name=name,
            peer="up of the namespace alone by raw Pulumi, then kubectl apply and wait",
            ours=[sample.wall for sample in ups[0]],
            theirs=[a.wall + b.wall for a, b in zip(ups[3], ups[2], strict=True)],
            stolen=stolen(ups[0], ups[2]),
        )
        down_of_five = _wall(
            "down of the five demos, namespace aside",
            "helm uninstall --wait of the article's manifests",
            [downs[sample] for sample in ups[0]],
            ups[4],
            0.15,
        )
        # For containers that don't end before their grace period does.
        yield down_of_five.model_copy(update={"waits": True})
        run(up)
        same = stacks.command(ours, "preview")
        a, b = in_turn(lambda: run(up), lambda: run(same), runs=_MORE)
        yield _wall("up without a change, --skip-preview", "preview", a, b, 1.2)


Peer = tuple[Command, Command]
"""What deploys, and what removes all of it."""


def _removed(deploy: Command, remove: Command) -> Work:
    deploy_apart = apart(deploy)

    def work() -> Sample:
        made: list[Sample] = []
        for _ in range(_TIMES):
            made.append(deploy_apart())
            run(remove)
        return middle(made)

    return work


def _rendered(ours: Project, namespace: str) -> list[Object]:
    """What a stack would have in another namespace."""
    return objects.rendered(engine.LOCAL, {**ours.config, "sidecar-powers:namespace": namespace})


def _namespace(ours: Project) -> list[Object]:
    """The namespace, without what else belongs to it."""
    return [item for item in _rendered(ours, "bench-alone") if item["kind"] == "Namespace"]


def _helm(folder: Path, ours: Project) -> Peer:
    chart = peers.chart(_rendered(ours, "bench-helm"), 0, folder)
    told = run(Command([HELM, "template", "bench", str(chart)])).output
    objects.assert_same("helm template", _rendered(ours, "bench-helm"), objects.read(told))
    return (
        _with_cluster([HELM, "install", "bench", str(chart), "--wait", "--timeout", "5m"]),
        _with_cluster([HELM, "uninstall", "bench", "--wait"]),
    )


def _kubectl(folder: Path, ours: Project) -> Peer:
    file = peers.manifests(_rendered(ours, "bench-kubectl"), folder)
    program = kubectl()
    until = "--for=condition=Available --timeout=300s --all"
    text = f"{program} apply -f {file} && {program} wait deployment -n bench-kubectl {until}"
    remove = [program, "delete", "--wait", "--ignore-not-found", "-f", str(file)]
    return _with_cluster(["sh", "-c", text]), _with_cluster(remove)


def _with_cluster(words: list[str]) -> Command:
    return Command(words, env={"KUBECONFIG": str(paths.KUBECONFIG)})


@contextmanager
def _article(folder: Path, cluster: Cluster) -> Generator[Work]:
    """What removes the article's manifests, once all its pods run."""
    namespace = "bench-article"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "all.yaml").write_text(_ARTICLE.read_text())
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: article, version: 1.0.0}")
    where = ["--namespace", namespace]
    install = _with_cluster([HELM, "install", "article", str(folder), *where])
    uninstall = _with_cluster([HELM, "uninstall", "article", *where, "--wait"])

    def started() -> bool:
        found = [item for pod in cluster.pods(namespace) for item in statuses(pod).values()]
        running = [item for item in found if item.state.running]
        # Its sender ends again and again.
        return len(running) >= 2 * _PODS - 1

    def removed() -> Sample:
        run(install)
        end = time.monotonic() + 120
        while not started():
            if time.monotonic() > end:
                raise TimeoutError("the article's pods do not run")
            time.sleep(0.5)
        return run(uninstall)

    cluster.core.create_namespace({"metadata": {"name": namespace}})
    try:
        yield removed
    finally:
        cluster.core.delete_namespace(namespace)
