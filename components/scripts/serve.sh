# serve DIRECTORY PORT: serve DIRECTORY with nginx at PORT.
# The whole configuration stands here, with everything nginx writes under /tmp,
# so that any nginx image runs as any user on a read-only root.
directory=$1 port=$2
ipv6=
[ ! -e /proc/net/if_inet6 ] || ipv6="listen [::]:$port;"

printf '%s\n' "
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
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
  server {
    listen $port;
    $ipv6
    root $directory;
    add_header Cache-Control no-store;
  }
}" >/tmp/nginx.conf

# exec: nginx becomes the container's first process and gets TERM itself.
exec nginx -e /dev/stderr -c /tmp/nginx.conf
