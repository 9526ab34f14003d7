# use-files DIRECTORY SIGNAL INTERVAL: say every INTERVAL seconds how many files there are, and
# what SIGNAL means whenever it arrives.
directory=$1 signal=$2 interval=$3

trap 'echo "Received $signal: somebody else has changed my files"' "$signal"
while :; do
  set -- "$directory"/*
  [ -e "$1" ] || shift
  echo "Working with $# files"
  pause "$interval"
done
