# serve-observed PORT SIGNAL: run nginx, which says Hello at PORT. On SIGNAL this process, its
# parent, says in the log how nginx's processes are.
port=$1 signal=$2

# dump: what this process knows of its children.
dump() {
  workers=
  # The file ends without a newline, which `read` takes for a failure.
  read -r workers 2>/dev/null <"/proc/$child/task/$child/children"
  for process in $child $workers; do
    echo "Dump on $signal: nginx, process $process, is $(sed -n 's/^State:\t//p' "/proc/$process/status")"
  done
}

# stop: end nginx first.
stop() {
  kill "$child" 2>/dev/null
  wait "$child"
  exit 0
}

nginx_config /tmp/nginx.pid "
  server {
    $(listen "$port")
    location / { return 200 \"Hello\\n\"; }
  }" >/tmp/nginx.conf
trap dump "$signal"
trap stop TERM INT QUIT
attend nginx -e /dev/stderr -c /tmp/nginx.conf
