# keep-toolbox SECONDS INTERVAL: let sessions in this container see and trace TARGET until the
# pod is SECONDS old, then end them, and every INTERVAL seconds those that come later. Until then
# it only waits, and says in the log once what sessions may see.
# Needs shareProcessNamespace, and the user ID of the target.
seconds=$1 interval=$2

# reckon: how many seconds are $left. The pod's age is that of its process 1, which outlives this
# container, and which nobody in the pod can end.
started=$(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)
reckon() {
  read -r uptime _ </proc/uptime
  left=$((started / 100 + seconds - ${uptime%.*}))
}

# tracing: whether the kernel lets a sidecar trace. That both have the same user, and that the
# target hides nothing, only an attempt would tell.
tracing() {
  scope=''
  read -r scope 2>/dev/null </proc/sys/kernel/yama/ptrace_scope
  if ! command -v strace >/dev/null; then
    echo "this image has no strace"
  elif [ "${scope:-0}" -gt 0 ]; then
    echo "refused, kernel.yama.ptrace_scope is $scope on this node"
  elif ! refusal=$(strace -qq -e trace=none true 2>&1); then
    echo "refused, ${refusal%%
*}"
  else
    echo "allowed"
  fi
}

# describe PID: what is seen of the target.
describe() {
  if [ -r "/proc/$1/fd" ]; then
    files=$(find "/proc/$1/fd/" -type l | wc -l)
    most=$(awk '/^Max open files/ { print $4 }' "/proc/$1/limits")
    echo "$TARGET is process $1, which has $((files)) files open and may have $most"
  else
    echo "$TARGET is process $1, which has another user or is not dumpable: no more is seen"
  fi
}

reckon
deadline=$(date -d "@$(($(date +%s) + left))")
if [ "$left" -gt 0 ]; then
  echo "Open until $deadline: sessions see all containers of this pod," \
    "their processes, open files, limits, environments and files"
  echo "Tracing: $(tracing)"
fi
# The target starts after a native sidecar.
wait=1 seen=''
while [ "$left" -gt 0 ]; do
  if [ -z "$seen" ] && pid=$(target); then
    seen=$(describe "$pid")
    echo "$seen"
  fi
  if [ -n "$seen" ] || [ "$wait" -gt "$left" ]; then
    wait=$left
  fi
  pause "$wait"
  wait=$((wait * 2))
  reckon
done

echo "Closed since $deadline: a session is ended within $((interval + 3)) s"
until told_apart; do
  echo "Control groups tell no containers apart here, so no session is ended"
  pause 3600
done
while :; do
  end_sessions
  pause "$interval"
done
