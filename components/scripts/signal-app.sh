# signal-app MESSAGE INTERVAL: print the date every INTERVAL seconds, and
# MESSAGE whenever HUP arrives.
message=$1 interval=$2

trap 'printf "%s\n" "$message"' HUP
echo "Starting main process..."
while :; do
  date
  pause "$interval"
done
