"""A toolbox sees and traces the app until its deadline; without one nobody sees it."""

from dataclasses import dataclass

from ..debug import DEADLINE, FILE, INTERVAL, DebugArgs
from . import SLACK, Check, Line, Live, UnmetError, parse_date
from .status import statuses

GRACE = 5
"""Seconds that the toolbox may take to end what it has found, on a busy node."""

LONGEST = 18
"""Seconds of the longest session that a check begins: what runs longer is cut off on its way."""

# A container's first process has no parent here, and its container's name as an argument.
_FIRST = r"""
first() {
  for process in /proc/[0-9]*; do
    stat='' && read -r stat <$process/stat && stat=${stat##*) }
    case $stat in
      [!Z]" 0 "*) tr '\0' '\n' <$process/cmdline | grep -qxF -e "$1" && echo ${process#/proc/} ;;
    esac
  done 2>/dev/null | head -n 1
}
# Its state, its parent and its start.
about() { sed 's/.*) //' /proc/$1/stat | cut -d ' ' -f 1,2,20; }
"""

_SEEN = f"""{_FIRST}
app=$(first "$TARGET")
echo "$app $(about $app)"
awk '/^Max open files/ {{ print $4 }}' /proc/$app/limits
for file in /proc/$app/fd/*; do readlink $file; done
"""

# A trace of a quarter of a second, of the app's first process alone, and of no system call. What
# has no label is strace's.
_TRACED = f"""{_FIRST}
app=$(first "$TARGET")
echo "=before $(about $app)"
strace -qq -e trace=none -p $app 2>&1 &
sleep 0.25
awk -v tracer=$! '/^TracerPid/ {{ print "=traced", $2 == tracer }}' /proc/$app/status
{{ kill $! && wait $!; }} 2>/dev/null
sleep 0.25
echo "=after $(about $app)"
echo "=scope $(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)"
strace -qq -e trace=none true >/dev/null 2>&1 && echo =possible 1 || echo =possible 0
"""

# The times, the pod's process 1 and the toolbox's, then of all: number, about, groups and name.
_PROCESSES = f"""{_FIRST}
echo "$(date +%s) $(cut -d ' ' -f 1 /proc/uptime) $(about 1)"
first toolbox
for process in /proc/[0-9]*; do
  pid=${{process#/proc/}}
  echo $pid $(about $pid) "$(tr '\\n' , <$process/cgroup)" "$(cat $process/comm)"
done 2>/dev/null
"""
_TICKS = 100
"""Of /proc/PID/stat, a second."""

_ALONE = r"""
tr '\0' '\n' </proc/1/cmdline | grep -qxF -e main-app && echo main-app || echo another
cat /proc/[0-9]*/cgroup | sort -u | cut -d : -f 1 | uniq -d | wc -l
"""


@dataclass(frozen=True)
class _Process:
    pid: str
    state: str
    start: float
    """Seconds after the machine's start."""
    groups: str
    name: str


def checks(args: DebugArgs) -> list[Check]:
    """What must be true of a pod of Debug."""
    if not args.get("toolbox", False):
        return [
            Check(
                "app alone",
                "the pod has no container beside the app, and no shared process namespace",
                SLACK,
                _alone,
            ),
            Check(
                "nothing sees the app",
                "process 1 is the app's own, and none of another container can be seen",
                SLACK,
                _own_namespace,
            ),
        ]
    deadline = args.get("deadline_seconds", DEADLINE)
    interval = args.get("interval_seconds", INTERVAL)

    def kept(live: Live) -> str:
        return live.until(lambda: _kept(live, deadline, interval))

    return [
        Check(
            "sees the app",
            f"the toolbox sees the app's process, its open file {FILE} and its limits",
            SLACK,
            lambda live: live.until(lambda: _sees(live)),
        ),
        Check(
            "traces the app",
            "the toolbox traces the app, or the node's policy forbids it; the app goes on",
            2 * SLACK,
            lambda live: live.until(lambda: _traces(live)),
        ),
        Check(
            "deadline kept",
            f"the toolbox says that its deadline is when the pod is {deadline} s old, and what runs"
            f" in it then or begins later is ended within {interval + GRACE} s",
            2 * (interval + GRACE + SLACK),
            kept,
        ),
    ]


def _alone(live: Live) -> str:
    pod = live.pod()
    others = sorted(statuses(pod).keys() - {"main-app"})
    if others or pod["spec"].get("shareProcessNamespace"):
        shared = ", in one process namespace" if pod["spec"].get("shareProcessNamespace") else ""
        raise UnmetError(f"beside the app: {', '.join(others) or 'nothing'}{shared}")
    return "main-app is alone"


def _own_namespace(live: Live) -> str:
    first, differing = [*live.run("main-app", _ALONE).split(), "", ""][:2]
    if (first, differing) != ("main-app", "0"):
        groups = "" if differing == "0" else ", and there are processes of other control groups"
        raise UnmetError(f"process 1 is of {first}{groups}")
    return "process 1 is main-app, and all others are of its container"


def _sees(live: Live) -> str:
    app, most, *rest = [*live.run("toolbox", _SEEN).splitlines(), "", ""]
    files = [*filter(None, rest)]
    if FILE not in files or not most.isdecimal():
        raise UnmetError(f"process {app!r}, limit {most!r}, files {', '.join(files)}")
    return f"process {app.split()[0]}, {FILE} and {len(files) - 1} other open files of {most}"


def _traces(live: Live) -> str:
    lines = live.run("toolbox", _TRACED).splitlines()
    seen = dict(line[1:].split(" ", 1) for line in lines if line.startswith("=") and " " in line)
    said = " ".join(line for line in lines if not line.startswith("="))
    before, after = seen.get("before", ""), seen.get("after", "")
    if not before or before.split()[1:] != after.split()[1:] or after[0] in "TtZX":
        raise UnmetError(f"the app was {before!r} before and {after!r} after")
    if seen.get("traced") == "1":
        return "traced for a moment, and goes on"
    if "not permitted" in said and seen.get("scope") not in (None, "0"):
        return f"refused by the node: kernel.yama.ptrace_scope is {seen['scope']}"
    if "not permitted" in said and seen.get("possible") == "0":
        return "refused by the container's seccomp profile"
    raise UnmetError(said or "not traced")


def _kept(live: Live, deadline: int, interval: int) -> str:
    now, uptime, start, sessions = _sessions(live)
    line = _said(live)
    word, _, rest = line.text.partition(" ")
    said = parse_date(rest.removeprefix("until ").removeprefix("since ").partition(": ")[0])
    ends = start + deadline
    is_open = uptime < ends
    if said is None or abs(said - (now + ends - uptime)) > 2:
        raise UnmetError(f"the toolbox says {line.text!r}, but {ends - uptime:.0f} s are left")
    if is_open:
        return f"{word.lower()} for another {ends - uptime:.0f} s"
    late = [
        f"{process.name} ({process.pid})"
        for process in sessions
        if uptime > max(ends, process.start) + interval + GRACE
    ]
    if late or word != "Closed":
        raise UnmetError(f"{line.text!r}, {uptime - ends:.0f} s late run {', '.join(late)}")
    closed = f"closed for {uptime - ends:.0f} s, and nothing runs in it"
    if interval + GRACE > LONGEST:
        return closed
    if "stayed" in live.run("toolbox", f"sleep {interval + GRACE}; echo stayed"):
        raise UnmetError(f"{line.text!r}, but a session stayed for {interval + GRACE} s")
    return f"{closed}; a session that began was ended"


def _said(live: Live) -> Line:
    """The toolbox's last word of its deadline."""
    lines = live.last_lines("toolbox", 1000)
    found = [line for line in lines if line.text.startswith(("Open until ", "Closed since "))]
    if not found:
        raise UnmetError("nothing of a deadline in the toolbox's log")
    return found[-1]


def _sessions(live: Live) -> tuple[float, float, float, list[_Process]]:
    """The time, the machine's and the pod's start, and what runs in the toolbox beside its program.

    Seen from the app's container: a session of this check would be one more.
    """
    head, first, *lines = [*live.run("main-app", _PROCESSES).splitlines(), "", ""]
    found = {process.pid: process for line in lines if (process := _process(line))}
    try:
        now, uptime, _, _, start = head.split()
        toolbox = found[first]
    except (ValueError, KeyError):
        raise UnmetError("the toolbox's processes can't be seen in main-app") from None
    sessions = [
        process
        for process in found.values()
        if process.groups == toolbox.groups and process.pid != toolbox.pid and process.state != "Z"
    ]
    return float(now), float(uptime), int(start) / _TICKS, sessions


def _process(line: str) -> _Process | None:
    """Nothing for one that ended while it was looked at."""
    words = line.split(" ", 5)
    if len(words) < 6 or not words[3].isdecimal():
        return None
    pid, state, _, start, groups, name = words
    return _Process(pid, state, int(start) / _TICKS, groups, name)
