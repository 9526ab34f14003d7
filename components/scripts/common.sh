# Stands in every script of this folder, after its first comment.

# `sh` as a container's first process ignores TERM unless it traps it, and runs
# a trap only between commands. So whatever takes time runs in the background,
# where a signal interrupts the wait for it. QUIT is what nginx's image wants to be ended by.
child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null; exit 0' TERM INT QUIT

# attend COMMAND...: run it to its end; a signal that the script traps runs its
# trap at once and does not cut the command short.
attend() {
  "$@" &
  child=$!
  wait "$child"
  result=$?
  while [ "$result" -gt 128 ] && kill -0 "$child" 2>/dev/null; do
    wait "$child"
    result=$?
  done
  child=
  return "$result"
}

# pause SECONDS
pause() {
  attend sleep "$1"
}

# publish FILE: put standard input there; a reader sees the old text or the new
# one and never a part, since a rename within one directory is atomic.
publish() {
  if cat >"$1.new" && mv -f "$1.new" "$1"; then
    return 0
  fi
  echo "cannot publish $1" >&2
  return 1
}
