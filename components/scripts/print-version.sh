# print-version FILE INTERVAL: print the time and the version in FILE every
# INTERVAL seconds. The kubelet keeps FILE up to date with the pod's label.
file=$1 interval=$2

while :; do
  echo "Current time: $(date)"
  echo "APP_VERSION=$(cat "$file")"
  pause "$interval"
done
