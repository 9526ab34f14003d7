# Stands in scripts that signal another container's main process, TARGET, after common.sh.
# TARGET is one whole argument of that process's command line: `script` puts the container's
# name there. It comes from the environment, so this script's own command line never matches.
# Needs shareProcessNamespace, and the user ID of the target.

# status PID FIELD: that field of /proc/PID/status.
status() {
  while read -r key value; do
    if [ "$key" = "$2:" ]; then
      echo "$value"
    fi
  done 2>/dev/null <"/proc/$1/status"
}

# candidates: the processes that seem to have TARGET as an argument: one look at all command
# lines, each under the header that head gives it.
candidates() {
  head -c 65536 /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' |
    while read -r line; do
      case $line in
        "==> /proc/"*"/cmdline <==")
          pid=${line#"==> /proc/"}
          pid=${pid%"/cmdline <=="}
          ;;
        "$TARGET") echo "$pid" ;;
      esac
    done
}

# targets: those that have it: an argument may look like a header. A subshell has the
# command line of its parent, so a process whose parent matches too is left out.
targets() {
  matches=" "
  for candidate in $(candidates | sort -u); do
    if tr '\0' '\n' <"/proc/$candidate/cmdline" | grep -qxF -e "$TARGET"; then
      matches="$matches$candidate "
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

# catches PID SIGNAL: whether the process would survive that signal. Signal N is bit N-1 of the
# mask.
catches() {
  case $2 in
    HUP) number=1 ;;
    QUIT) number=3 ;;
    USR1) number=10 ;;
    USR2) number=12 ;;
    TERM) number=15 ;;
    *) return 1 ;;
  esac
  mask=$(status "$1" SigCgt)
  [ $((0x0${mask#????????} >> (number - 1) & 1)) -eq 1 ]
}
