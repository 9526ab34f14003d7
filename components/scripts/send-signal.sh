# send-signal INTERVAL: send HUP to the process TARGET every INTERVAL seconds.
interval=$1

while :; do
  if ! found; then
    echo "$pid"
  elif catches "$pid" HUP; then
    echo "Sending SIGHUP to main process..."
    error=$(kill -HUP "$pid" 2>&1) || echo "Cannot signal $TARGET: $error"
  else
    echo "$TARGET does not handle SIGHUP, which would end it: not sent"
  fi
  pause "$interval"
done
