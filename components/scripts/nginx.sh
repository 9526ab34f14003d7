# Stands in scripts that run nginx or change what it runs, after common.sh.

# nginx_config PID_FILE DIRECTIVES [SECONDS]: a whole configuration with these directives in its
# http block. Whatever nginx writes is under /tmp, so that any nginx image runs as any user on a
# read-only root. Workers that a reload has replaced, or that are to quit, end within SECONDS, 10
# if nobody says.
nginx_config() {
  printf '%s\n' "
daemon off;
worker_processes 1;
worker_shutdown_timeout ${3:-10}s;
pid $1;
error_log /dev/stderr warn;
events {}
http {
  access_log off;
  default_type text/html;
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  $2
}"
}

# listen PORT [OPTION]: the directives for that port, over IPv6 too where there is IPv6.
listen() {
  echo "listen $1 $2;"
  [ ! -e /proc/net/if_inet6 ] || echo "listen [::]:$1 $2;"
}

# generation_server PORT GENERATION: a server that tells this pod's containers, and nobody
# else, which configuration nginx has loaded.
generation_server() {
  echo "server { listen 127.0.0.1:$1; location / { return 200 \"$2\"; } }"
}

# served PORT: the generation that nginx serves, nothing if it doesn't run. (wget has a time limit
# of its own, which ends Debian's busybox.)
served() {
  timeout 1 wget -q -O - "http://127.0.0.1:$1/" 2>/dev/null
}

# serves PORT GENERATION: wait until nginx serves that generation: true if it does within 5 s.
serves() {
  tries=50
  while [ "$(served "$1")" != "$2" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    pause 0.1
  done
}

# take_up PID_FILE PORT GENERATION: let nginx load the configuration that is there now, and
# wait until it serves that generation: true if it does within 5 s.
take_up() {
  pid=$(cat "$1" 2>/dev/null)
  # An old file may name another process.
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = nginx ] || return 1
  kill -HUP "$pid" && serves "$2" "$3"
}
