# Stands in scripts that take what a directory offers, after watch.sh.

# offered DIRECTORY FILE...: the line that each FILE has, empty if there is none. The kubelet
# swaps all files at once, behind a link, which is followed once.
offered() {
  link=$(readlink -f "$1/$2")
  shift
  for part in "$@"; do
    printf '%s\n' "$(head -n 1 "${link%/*}/$part" 2>/dev/null)"
  done
}

# uptime: whole seconds of a clock that nobody sets.
uptime() {
  read -r now _ </proc/uptime
  echo "${now%.*}"
}

# other KNOWN SECONDS COMMAND...: wait until COMMAND, which says what is offered, says something
# else than KNOWN, or so many seconds are over; with 0 seconds however long it takes.
other() {
  known=$1 due=$(($(uptime) + $2))
  if [ "$2" -gt 0 ]; then
    { sleep "$2" && echo; } >&3 &
    child=$!
  else
    due=''
  fi
  shift 2
  while [ "$("$@")" = "$known" ] && { [ -z "$due" ] || [ "$(uptime)" -lt "$due" ]; }; do
    change
  done
}
