# send-signal INTERVAL: send HUP to the process TARGET every INTERVAL seconds.
# TARGET is one whole argument of that process's command line. It comes from the
# environment, so this script's own command line never matches.
# Needs shareProcessNamespace, and the user ID of the target.
interval=$1

# status PID FIELD: that field of /proc/PID/status.
status() {
  while read -r key value; do
    if [ "$key" = "$2:" ]; then
      echo "$value"
    fi
  done 2>/dev/null <"/proc/$1/status"
}

# The processes that seem to have TARGET as an argument: one look at all command
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

# Those that have it: an argument may look like a header. A subshell has the
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

# catches_hup PID: whether it would survive HUP. Signal N is bit N-1 of the mask.
catches_hup() {
  case $(status "$1" SigCgt) in
    *[13579bdf]) ;;
    *) return 1 ;;
  esac
}

while :; do
  pid=$(targets)
  case $pid in
    '')
      echo "No process $TARGET to signal"
      ;;
    *[!0-9]*)
      echo "Several processes $TARGET, none is signalled:
$pid"
      ;;
    *)
      if catches_hup "$pid"; then
        echo "Sending SIGHUP to main process..."
        error=$(kill -HUP "$pid" 2>&1) || echo "Cannot signal $TARGET: $error"
      else
        echo "$TARGET does not handle SIGHUP, which would end it: not sent"
      fi
      ;;
  esac
  pause "$interval"
done
