"""Limits are those of the arguments, the load is throttled, the app answers all the same."""

from typing import cast

from ..quantity import parse_quantity
from ..resource import ResourceArgs, pod
from ..usage import qos_class
from ..workload import WorkloadArgs, pod_spec
from . import SLACK, Check, Live, UnmetError, newest

ANSWERS = 40
"""Requests while the load is watched, one each tenth of a second."""

SLOW = 1
"""Seconds within which the app answers half of them: on the way there may be other delays."""

# The files of version 1, then those of version 2; a container sees its own group.
# https://docs.kernel.org/admin-guide/cgroup-v2.html
_CGROUP = """
cd /sys/fs/cgroup
for file in cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes cpu/cpu.stat \
  cpu.max memory.max cpu.stat; do
  [ ! -r $file ] || echo $file $(cat $file)
done
"""

# The kernel counts memory in pages, of at most this size.
_PAGE = 1 << 16


def checks(args: ResourceArgs) -> list[Check]:
    """What must be true of a pod of Resource."""
    interval, port = args.get("interval_seconds", 5), args.get("port", 8080)
    workers = args.get("load_workers", 4)
    spec = pod_spec(pod("", args), cast(WorkloadArgs, args))
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    limits = {item["name"]: item["resources"]["limits"] for item in containers}
    predicted = qos_class(spec)

    def qos(live: Live) -> str:
        found = live.pod()["status"].get("qosClass", "")
        if found != predicted:
            raise UnmetError(found)
        return found

    def cgroup_limits(live: Live) -> str:
        seen: list[str] = []
        for name, limit in limits.items():
            cpu, memory = _limits(live, name)
            seen.append(f"{name} {cpu * 1000:.0f}m {memory / 2**20:.0f}Mi")
            wanted = [parse_quantity(limit.get(key, "0")) for key in ("cpu", "memory")]
            # The kernel's smallest share is 1 ms of 100 ms, and systemd rounds up to whole ones.
            right = not wanted[0] or 0 <= round(cpu - float(wanted[0]), 6) <= 0.01
            right = right and (not wanted[1] or 0 <= float(wanted[1]) - memory < _PAGE)
            if not right:
                raise UnmetError(f"{seen[-1]}, configured {limit}")
        return ", ".join(seen)

    def throttled(live: Live) -> str:
        times: list[float] = []
        with live.http(port) as get:
            start, before = live.elapsed, _throttling(live)
            for _ in range(ANSWERS):
                times.append(get().seconds)
                live.pause(0.1, f"{len(times)} answers, the last after {times[-1]:.1f} s")
            after, seconds = _throttling(live), live.elapsed - start
        periods, held = after[0] - before[0], after[1] - before[1]
        answered = sorted(times)[ANSWERS // 2]
        seen = f"throttled in {held} of {periods} periods, {answered * 1000:.0f} ms an answer"
        # Busy all the time, it has a period each tenth of a second.
        if periods < 5 * seconds or held < periods / 2 or answered > SLOW:
            raise UnmetError(f"{seen}, in {seconds:.0f} s")
        return seen

    def monitor_sees(live: Live) -> str:
        # The list ends after the busiest 16: where there is much load, nginx is not among them.
        names = ["nginx"] if workers <= 8 else []
        names += ["generate-load"] if workers else []

        start = newest(live, "resource-monitor")

        def look() -> str:
            lines = live.last_lines("resource-monitor", 40)
            text = "\n".join(line.text for line in lines if line.time > start)
            missing = [name for name in names if name not in text]
            if missing:
                raise UnmetError(f"no {' and no '.join(missing)} in its list")
            return f"{' and '.join(names)} in its list"

        return live.until(look)

    found = [
        Check("QoS class", f"the pod's QoS class is {predicted}", SLACK, qos),
        Check(
            "cgroup limits",
            "the kernel holds each container to the configured CPU and memory limits",
            2 * SLACK,
            cgroup_limits,
        ),
        Check(
            "monitor sees all",
            "the monitor's process list has those of the other containers",
            interval + SLACK,
            monitor_sees,
        ),
    ]
    if workers > float(parse_quantity(limits.get("load-generator", {"cpu": "0"})["cpu"])) > 0:
        found.append(
            Check(
                "load throttled",
                "the load generator is throttled in most periods; the app answers within"
                f" {SLOW} s (median)",
                3 * SLACK,
                throttled,
            )
        )
    return found


def _cgroup(live: Live, container: str) -> dict[str, list[str]]:
    """The numbers in the files of a container's cgroup, by file."""
    lines = live.run(container, _CGROUP).splitlines()
    found = {words[0].rpartition("/")[2]: words[1:] for words in map(str.split, lines) if words}
    if not found:
        raise UnmetError(f"{container} sees no cgroup")
    return found


def _limits(live: Live, container: str) -> tuple[float, float]:
    """CPUs and bytes that a container may take."""
    files = _cgroup(live, container)
    if "cpu.max" in files:
        quota, period = files["cpu.max"]
        memory = files["memory.max"][0]
    else:
        quota, period = files["cpu.cfs_quota_us"][0], files["cpu.cfs_period_us"][0]
        memory = files["memory.limit_in_bytes"][0]
    unlimited = ("max", "-1")
    return (
        float("inf") if quota in unlimited else int(quota) / int(period),
        float("inf") if memory in unlimited else float(memory),
    )


def _throttling(live: Live) -> tuple[int, int]:
    """Periods in which the load generator ran, and in how many of them it was throttled."""
    words = _cgroup(live, "load-generator")["cpu.stat"]
    numbers = dict(zip(words[::2], words[1::2], strict=True))
    return int(numbers["nr_periods"]), int(numbers["nr_throttled"])
