# serve DIRECTORY PORT: serve DIRECTORY with nginx at PORT.
directory=$1 port=$2

nginx_config /tmp/nginx.pid "
  server {
    $(listen "$port")
    root $directory;
    add_header Cache-Control no-store;
  }" >/tmp/nginx.conf

# exec: nginx becomes the container's first process and gets TERM itself.
exec nginx -e /dev/stderr -c /tmp/nginx.conf
