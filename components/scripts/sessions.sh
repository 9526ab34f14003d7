# Stands in scripts that end what others run in the same container, after common.sh.
# Needs shareProcessNamespace, so that process 1 is the pod's and not this script.

# groups PID: all control groups of a process, in $groups. The processes of a container have the
# same ones, and those of no other container, whichever version of cgroups the node has.
# Here and below no process is started: there are many to look at.
groups() {
  groups=''
  while read -r line; do
    groups="$groups$line "
  done 2>/dev/null <"/proc/$1/cgroup"
}

# told_apart: whether control groups say here which container a process is of.
told_apart() {
  groups $$
  own=$groups
  groups 1
  [ -n "$groups" ] && [ "$groups" != "$own" ]
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
    groups "$pid"
    stand "$pid"
    case "$groups:$state" in
      :* | *: | *:Z*) ;;
      "$own":*) [ "$pid" = $$ ] || [ "$parent" = $$ ] || sessions="$sessions $pid" ;;
      *:T*) stopped="$stopped $pid" ;;
    esac
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
