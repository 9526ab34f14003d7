# Stands in scripts that write down how another container's processes are, after common.sh.
# Needs shareProcessNamespace, and their user ID. Reads no environment: secrets may be there.

# family PID: it and all that descend from it.
family() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v main="$1" '
    # The name, in brackets, may have anything in it.
    { pid = $1; sub(/.*\) /, ""); children[$2] = children[$2] " " pid }
    function show(pid, list, count, i) {
      print pid
      count = split(children[pid], list, " ")
      for (i = 1; i <= count; i++) show(list[i])
    }
    END { show(main) }'
}

# part TITLE COMMAND...: what it prints, 200 lines at most.
part() {
  echo "-- $1"
  shift
  "$@" | head -n 200
}

# threads PID: number, state, what the kernel waits for (0 if it doesn't tell), and name of each.
threads() {
  for task in "/proc/$1/task"/*; do
    echo "${task##*/} $(sed -n 's/^State:\t//p' "$task/status")" \
      "waits in $(cat "$task/wchan") $(cat "$task/comm")"
  done
}

# connections: those of the pod, which has one network. Of a listener Recv-Q is how many wait.
# Each probe leaves one behind that is over.
connections() {
  netstat -tna | grep -v TIME_WAIT || cat /proc/net/tcp /proc/net/tcp6
}

# dump PID FILE HEADING: put into FILE, in one step, how PID and all that descend from it are;
# 50 processes and 256 KiB at most.
dump() {
  {
    echo "$3"
    for member in $(family "$1" | head -n 50); do
      echo
      echo "== process $member: $(tr '\0\n' '  ' <"/proc/$member/cmdline" | head -c 200)"
      part status cat "/proc/$member/status"
      part threads threads "$member"
      part "open files" ls -l "/proc/$member/fd"
      part limits cat "/proc/$member/limits"
    done
    echo
    part "TCP connections of the pod" connections
  } 2>/dev/null | head -c 262144 | publish "$2"
}

# keep_newest DIRECTORY COUNT: delete older dumps; their names sort by time.
keep_newest() {
  most=$2
  set -- "$1"/*.txt
  while [ $# -gt "$most" ]; do
    rm -f "$1"
    shift
  done
}
