# Stands in scripts that wait for files to change, after common.sh. Needs a /tmp of its own.

# watch DIRECTORY SECONDS: from now on `change` returns once something in DIRECTORY has
# changed, and every SECONDS besides, so that a watch that fails costs time and nothing else;
# the first time after 1 s, since a watch takes a moment to begin.
# The directory is watched, not the file: the kubelet swaps a symbolic link in it, others
# rename a file into it, and a watch on a file would end with that file.
watch() {
  rm -f /tmp/changes
  mkfifo /tmp/changes
  # For reading and writing, so that reading waits while nobody writes.
  exec 3<>/tmp/changes
  { sleep 1 && echo && while sleep "$2"; do echo; done; } >&3 &
  watchers=$!
  if command -v inotifyd >/dev/null; then
    inotifyd - "$1:wy" >&3 &
  elif command -v inotifywait >/dev/null; then
    inotifywait --quiet --monitor --event close_write --event moved_to "$1" >&3 &
  else
    echo "This image has neither inotifyd nor inotifywait: looking every $2 s" >&2
  fi
  watchers="$watchers $!"
  trap end TERM INT QUIT
}

# end: nothing that runs beside this script outlives it.
end() {
  for process in $watchers $child; do
    kill "$process" 2>/dev/null
  done
  exit 0
}

# change: wait until something may have changed.
change() {
  read -r _ <&3
}

# report FILE TEXT: say TEXT in the log and in FILE, unless it is what was said last.
report() {
  if [ "$2" != "$said" ]; then
    said=$2
    echo "$2"
    echo "$2" | publish "$1"
  fi
}
said=
