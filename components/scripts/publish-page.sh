# publish-page FILE INTERVAL: put the date into FILE every INTERVAL seconds.
file=$1 interval=$2

while :; do
  date | publish "$file"
  pause "$interval"
done
