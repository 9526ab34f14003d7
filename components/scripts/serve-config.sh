# serve-config FILE: run nginx with the configuration FILE as soon as it is there. Beside a
# native sidecar that is at once.
file=$1

while [ ! -e "$file" ]; do
  pause 1
done

# exec: nginx becomes the container's first process and gets TERM itself.
exec nginx -e /dev/stderr -c "$file"
