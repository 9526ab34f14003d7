# print-config FILE INTERVAL: print FILE every INTERVAL seconds.
file=$1 interval=$2

while :; do
  cat "$file"
  pause "$interval"
done
