# monitor INTERVAL: print a process list of the pod every INTERVAL seconds.
# Needs shareProcessNamespace to see those of the other containers.
interval=$1

while :; do
  echo "---$(date)---"
  top -b -n 1 | head -n 20
  pause "$interval"
done
