"""The app's CPU follows its load without a restart, and nothing else may be changed."""

from itertools import pairwise
from typing import Any

from ..manifest import Object
from ..pod_resizer import cpu_bounds
from ..quantity import parse_quantity
from ..resize import ResizeArgs
from . import SLACK, Check, Live, UnmetError
from .api import REFUSED, patch_with_python
from .status import restarts, statuses


def checks(args: ResizeArgs) -> list[Check]:
    """What must be true of a pod of Resize."""
    least, most = cpu_bounds(args.get("min_cpu"), args.get("max_cpu"))
    interval, load = args.get("interval_seconds", 10), args.get("load_seconds", 60)
    sidecars = "containers" if args.get("sidecars") == "classic" else "initContainers"
    # Without the policy, the role lets the sidecar resize all pods that it covers.
    bound = args.get("admission_policy", True)

    def follows(live: Live) -> str:
        before = live.pod()
        seen = [_in_force(before)]

        def look() -> None:
            now = _in_force(live.pod())
            if now != seen[-1]:
                seen.append(now)
            steps = [later - earlier for earlier, later in pairwise(seen)]
            if not (steps and min(steps) < 0 < max(steps)):
                said = [line.text for line in live.last_lines("resizer", 2)]
                raise UnmetError(f"{_shown(seen)}; the resizer says {' / '.join(said)!r}")

        live.until(look)
        after = live.pod()
        again = restarts(after, "main-app") - restarts(before, "main-app")
        outside = [amount for amount in seen if not least <= amount <= most]
        if again or outside:
            raise UnmetError(f"{_shown(seen)}, restarted {again} times")
        return f"{_shown(seen)} without a restart"

    def bounds_held(live: Live) -> str:
        pod = live.pod()
        own = f"{pod['metadata']['name']}/resize"
        answers: list[str] = []
        for amount in (most + 1, least - 1):
            code, said = patch_with_python(
                live, "resizer", own, _cpu("containers", "main-app", amount)
            )
            answers.append(f"{amount}m: {code}")
            if code not in REFUSED or f"between {least}m and {most}m" not in said:
                raise UnmetError(f"{', '.join(answers)}: {said}")
        # The same request for what is allowed shows what the refusals are worth.
        amount = _wanted(pod)
        code, said = patch_with_python(live, "resizer", own, _cpu("containers", "main-app", amount))
        if code != "200":
            raise UnmetError(f"{amount}m: {code}: {said}")
        return f"{', '.join(answers)}; {amount}m: 200"

    def nothing_else(live: Live) -> str:
        pod = live.pod()
        own, amount = pod["metadata"]["name"], _wanted(pod)
        image = _container("containers", "main-app", image="other:1")
        tries: dict[str, tuple[str, Object]] = {
            "a label": (own, {"metadata": {"labels": {"other": "x"}}}),
            "the image": (own, image),
            "its CPU past the subresource": (own, _cpu("containers", "main-app", amount)),
        }
        if bound:
            memory = {"limits": {"memory": "4Gi"}}
            tries["memory"] = (
                f"{own}/resize",
                _container("containers", "main-app", resources=memory),
            )
            tries["the resizer's CPU"] = (f"{own}/resize", _cpu(sidecars, "resizer", amount))
        if bound or args.get("workload") == "pod":
            for name in live.neighbours()[:1]:
                patch = _cpu("containers", "main-app", amount)
                tries[f"neighbour {name}"] = (f"{name}/resize", patch)
        answers = {what: patch_with_python(live, "resizer", *it)[0] for what, it in tries.items()}
        answered = ", ".join(f"{what}: {answer}" for what, answer in answers.items())
        if not set(answers.values()) <= REFUSED:
            raise UnmetError(answered)
        return answered

    found = [
        Check(
            "nothing else",
            "with the resizer's token, a label, the image, memory, another container or pod can't"
            " be changed (403 or 422)",
            3 * SLACK,
            nothing_else,
        )
    ]
    # Only then is there an interval of load alone, and one without.
    if load >= 2 * interval and most * 4 > least * 5:
        found.append(
            Check(
                "limits follow the load",
                f"the app's CPU limit in force rises and falls between {least}m and {most}m, and"
                " nothing restarts",
                2 * load + 3 * interval + 2 * SLACK,
                follows,
            )
        )
    if bound:
        found.append(
            Check(
                "bounds held",
                f"the API server refuses CPU outside {least}m to {most}m (403 or 422)",
                2 * SLACK,
                bounds_held,
            )
        )
    return found


def _container(kind: str, name: str, **fields: Any) -> Object:
    """The patch of a container's fields."""
    return {"spec": {kind: [{"name": name, **fields}]}}


def _cpu(kind: str, name: str, millicores: int) -> Object:
    """The patch of a container's CPU."""
    amount = {"cpu": f"{millicores}m"}
    return _container(kind, name, resources={"requests": amount, "limits": amount})


def _in_force(pod: Object) -> int:
    """The app's CPU limit as the kubelet says it is, in millicores."""
    return _limit(statuses(pod).get("main-app", {}))


def _wanted(pod: Object) -> int:
    """The app's CPU limit as the pod's spec has it."""
    return _limit(next(item for item in pod["spec"]["containers"] if item["name"] == "main-app"))


def _limit(container: Object) -> int:
    limit = container.get("resources", {}).get("limits", {}).get("cpu")
    if limit is None:
        raise UnmetError("the kubelet tells no CPU limit of main-app: it can't resize in place")
    return int(parse_quantity(limit) * 1000)


def _shown(amounts: list[int]) -> str:
    return " → ".join(f"{amount}m" for amount in amounts)
