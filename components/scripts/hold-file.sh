# hold-file FILE INTERVAL: hold FILE open, and print the date every INTERVAL seconds.
file=$1 interval=$2

exec 3>"$file"
echo "Held open since $(date)" >&3
while :; do
  date
  pause "$interval"
done
