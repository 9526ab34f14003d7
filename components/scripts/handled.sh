# Stands in scripts that signal a process, after common.sh.

# status PID FIELD: that field of /proc/PID/status.
status() {
  while read -r key value; do
    if [ "$key" = "$2:" ]; then
      echo "$value"
    fi
  done 2>/dev/null <"/proc/$1/status"
}

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
