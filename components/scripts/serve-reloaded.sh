# serve-reloaded PID_FILE INTERVAL FILE...: run nginx with the first FILE as its configuration
# as soon as it is there, and let it load it again when a FILE has changed; all are in one
# directory. INTERVAL is for `watch`. As this container signals its own nginx, no other one
# needs to see its processes, and it sees no other's.
pid_file=$1 interval=$2
shift 2

# state: what the files are like.
state() {
  sha256sum "$@" 2>/dev/null
}

# stop: end nginx first.
stop() {
  kill "$(cat "$pid_file")" 2>/dev/null
  wait "$server"
  end
}

# The volume at /tmp may be older than this container.
rm -f /tmp/ended
watch "${1%/*}" "$interval"
while [ ! -e "$1" ]; do
  change
done
loaded=$(state "$@")
{
  nginx -e /dev/stderr -c "$1"
  echo "$?" >/tmp/ended
  echo >&3
} &
server=$!
trap stop TERM INT QUIT
while change && [ ! -e /tmp/ended ]; do
  now=$(state "$@")
  if [ "$now" != "$loaded" ]; then
    loaded=$now
    kill -HUP "$(cat "$pid_file")"
  fi
done
[ "$(cat /tmp/ended)" = 0 ]
