# serve-drained DIRECTORY PORT SLOW DRAIN: serve with nginx at PORT until told to end, then finish
# what is in flight, for DRAIN seconds at most. / answers at once, /slow takes SLOW seconds.
# In DIRECTORY the preStop hook leaves `draining`, this script `stopping` when it is told to end and
# `stopped` when it ends by itself; the pipe `alive` is open as long as any of its processes runs.
directory=$1 port=$2 slow=$3 drain=$4

# stop: let nginx close its sockets and finish its requests: that is QUIT, TERM cuts them off.
stop() {
  echo >"$directory/stopping"
  [ -n "$child" ] || exit 0
  kill -QUIT "$child"
}

# answers PREFIX DIRECTIVES: what is answered under that prefix, and how.
answers() {
  printf '%s\n' "
    location = $1/ { $2 return 200 \"Hello\\n\"; }
    location = $1/slow { $2 alias /tmp/slow; limit_rate 1k; }"
}

second=0
while [ "$second" -le "$slow" ]; do
  printf '%1023s\n' "second $second"
  second=$((second + 1))
done >/tmp/slow

# While it drains, nginx closes each connection with its answer: a client that keeps one open would
# come back to this pod until its end.
nginx_config /tmp/nginx.pid "
  server {
    $(listen "$port")
    if (-e $directory/draining) { rewrite ^ /draining\$uri last; }
    $(answers "" "")
    $(answers /draining "internal; keepalive_timeout 0;")
  }" "$drain" >/tmp/nginx.conf

# The volume may be older than this container: it starts again in a pod that stays.
rm -f "$directory/draining" "$directory/stopping" "$directory/stopped"
[ -p "$directory/alive" ] || mkfifo "$directory/alive"
# For reading and writing, so that opening waits for nobody.
exec 4<>"$directory/alive"
trap stop TERM INT QUIT
echo >"$directory/started"
attend nginx -e /dev/stderr -c /tmp/nginx.conf && echo >"$directory/stopped"
