# generate-load WORKERS: keep WORKERS copies of dd busy, one round after another.
workers=$1 round=0

stop() {
  for pid in $pids; do
    kill "$pid" 2>/dev/null
  done
  exit 0
}
trap stop TERM INT QUIT

while :; do
  pids='' count=0
  while [ "$count" -lt "$workers" ]; do
    dd if=/dev/zero of=/dev/null bs=1M count=1024 2>/dev/null &
    pids="$pids $!" count=$((count + 1))
  done
  wait
  round=$((round + 1))
  [ $((round % 100)) -ne 0 ] || echo "$(date): $round rounds of $workers GiB"
done
