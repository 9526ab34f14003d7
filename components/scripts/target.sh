# Stands in scripts that signal another container's main process, TARGET, after common.sh
# and handled.sh.
# TARGET is one whole argument of that process's command line: `script` puts the container's
# name there. It comes from the environment, so this script's own command line never matches.
# Needs shareProcessNamespace, and the user ID of the target.

# targets: those that have it. A subshell has the command line of its parent, so a process whose
# parent matches too is left out.
targets() {
  matches=" "
  for directory in /proc/[0-9]*; do
    if tr '\0' '\n' <"$directory/cmdline" | grep -qxF -e "$TARGET"; then
      matches="$matches${directory#/proc/} "
    fi
  done 2>/dev/null
  for match in $matches; do
    case $matches in
      *" $(status "$match" PPid) "*) ;;
      *) echo "$match" ;;
    esac
  done
}

# target: the process number of TARGET, or why there is no such one.
target() {
  pid=$(targets)
  case $pid in
    '')
      echo "No process $TARGET to signal"
      return 1
      ;;
    *[!0-9]*)
      echo "Several processes $TARGET, none is signalled:
$pid"
      return 1
      ;;
  esac
  echo "$pid"
}

# start PID: when that process started, in `ticks`: with it a number says which process it is.
# False if there is none.
start() {
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  # The name, in brackets, may have anything in it.
  line=${line##*) }
  read -r code _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ ticks _ <<END
$line
END
  [ "$code" != Z ]
}

# runs: whether `process`, a number and when it started, is still there, and no other process
# under its number.
runs() {
  start "${process%:*}" && [ "$ticks" = "${process#*:}" ]
}

# found: TARGET's process number is in `pid`, or why there is none. One that still runs is not
# looked for again: a look at all processes takes many of its own.
found() {
  if ! runs; then
    pid=$(target) || return 1
    start "$pid" || { pid="No process $TARGET to signal" && return 1; }
    process=$pid:$ticks
  fi
}
process=0:0
