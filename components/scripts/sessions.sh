# Stands in scripts that end what others run in the same container, after common.sh.
# Needs shareProcessNamespace, so that process 1 is the pod's and not this script.

# This script's own number. (In a container's command Kubernetes makes one `$` of two.)
read -r self _ </proc/self/stat

# told_apart: whether control groups say which container a process is of; then $group is a line
# that all processes of this container have in /proc/PID/cgroup, and process 1 hasn't. It works
# so with either version of cgroups.
told_apart() {
  while read -r group <&3 && read -r other <&4; do
    [ "$group" = "$other" ] || return 0
  done 2>/dev/null 3<"/proc/$self/cgroup" 4</proc/1/cgroup
  return 1
}

# is_here PID: whether it is a process of this container. No process is started for it, nor
# below: there are many to look at.
is_here() {
  while read -r line; do
    case $line in
      "$group") return ;;
      "${group%%:*}:"*) return 1 ;;
    esac
  done 2>/dev/null <"/proc/$1/cgroup"
  return 1
}

# stand PID: its $state and its $parent, nothing if it is gone.
stand() {
  state='' parent=''
  while read -r key value; do
    case $key in
      State:) state=$value ;;
      PPid:)
        parent=$value
        return
        ;;
    esac
  done 2>/dev/null <"/proc/$1/status"
}

# look: $sessions are the processes of this container that are neither this script nor started
# by it, $stopped those of other containers that are stopped.
look() {
  sessions='' stopped=''
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    stand "$pid"
    [ -n "$state" ] || continue
    if is_here "$pid"; then
      case "$pid $parent $state" in
        "$self "* | *" $self "* | *" Z"*) ;;
        *) sessions="$sessions $pid" ;;
      esac
    else
      case $state in
        T*) stopped="$stopped $pid" ;;
      esac
    fi
  done
}

# tell SIGNAL PIDS
tell() {
  for one in $2; do
    kill -s "$1" "$one" 2>/dev/null
  done
}

# end_sessions: end them, and say which; a debugger has a second to let go of what it holds.
# What is then stopped in other containers goes on: a session has stopped it, or its debugger.
end_sessions() {
  look
  [ -n "$sessions" ] || return 0
  names=''
  for pid in $sessions; do
    name=''
    # The name alone: in arguments there may be secrets.
    read -r name 2>/dev/null <"/proc/$pid/comm"
    names="$names, ${name:-gone} ($pid)"
  done
  echo "Ending ${names#, }"
  # Shells end at HUP, most others at TERM, and what is stopped at neither.
  for signal in HUP TERM CONT; do
    tell "$signal" "$sessions"
  done
  told=$sessions
  pause 1
  look
  for pid in $told; do
    case "$sessions " in
      # Not those that have come meanwhile: they have not been told.
      *" $pid "*) tell KILL "$pid" ;;
    esac
  done
  pause 1
  look
  for pid in $stopped; do
    kill -CONT "$pid" 2>/dev/null
  done
}
