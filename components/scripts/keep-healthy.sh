# keep-healthy URL RECORDS DUMPS INTERVAL: ask the app TARGET at URL every INTERVAL seconds. Slow or
# missing answers get one dump of the app, in DUMPS; too many missing ones in a row get its main
# process ended, and the kubelet starts it again. RECORDS has what outlasts this script, and its
# `status`, as old as the last answer. The environment says how patient it is.
# Needs shareProcessNamespace, and the user ID of the app.
url=$1 records=$2 dumps=$3 interval=$4

# say WHAT DETAIL: both go to the status, and to the log when WHAT is not what it was.
say() {
  echo "$1: $2" >"$records/status.new" && mv -f "$records/status.new" "$records/status"
  [ "$1" = "$said" ] || echo "$1: $2"
  said=$1
}
said=

# young: it has never answered, and may still be starting.
young() {
  moment
  [ "$up" = no ] && [ $((now - seen)) -lt "$START_SECONDS" ]
}

# late: an answer takes its time, and the app can be looked at meanwhile.
late() {
  [ -e "$records/leaving" ] || young || trouble slow
}

# trouble REASON: it begins, or goes on; it gets one dump.
trouble() {
  good=0
  if [ "$occurrence" = none ]; then
    occurrence=$TARGET-$(date -u +%Y%m%dT%H%M%SZ)-$1
    record "$records/process"
  fi
  file=$dumps/$occurrence.txt
  if [ ! -e "$file" ] && runs; then
    dump "${process%:*}" "$file" "$TARGET at $(date -u): $1" || return
    echo "Dump: $file"
    keep_newest "$dumps" "$MAX_DUMPS"
    if catches "${process%:*}" "$DUMP_SIGNAL"; then
      kill "-$DUMP_SIGNAL" "${process%:*}"
    else
      echo "$TARGET does not handle SIG$DUMP_SIGNAL, which would end it: not sent"
    fi
  fi
}

# judge: what an answer leads to.
judge() {
  if [ "$answer" != 0 ]; then
    missed
    return
  fi
  before=$up
  up=yes failures=0
  if [ "$took" -ge $((SLOW_SECONDS * 1000)) ] && [ "$before" = yes ]; then
    trouble slow
    say slow "answered in $took ms"
  elif [ "$occurrence" != none ] && [ $((good + 1)) -lt "$FAILURE_THRESHOLD" ]; then
    good=$((good + 1))
    say recovering "answered in $took ms"
  else
    occurrence=none good=0
    say healthy "answered in $took ms"
  fi
}

# missed: there was no answer, or an error.
missed() {
  reason="no answer within $PROBE_TIMEOUT_SECONDS s"
  [ "$took" -ge $((PROBE_TIMEOUT_SECONDS * 1000)) ] ||
    reason="no answer: $(head -n 1 "$records/error")"
  if young; then
    say starting "$reason"
    return
  fi
  failures=$((failures + 1))
  trouble failed
  if [ "$failures" -lt "$FAILURE_THRESHOLD" ]; then
    say "failing, $failures of $FAILURE_THRESHOLD" "$reason"
    return
  fi
  to_wait "$records/restarts" "$BUDGET_SECONDS" "$RESTART_BUDGET" "$BACKOFF_SECONDS"
  case $held_by in
    '') condemn "$records/restarts" "$BUDGET_SECONDS" "$process" && finish ;;
    *) say "not restarted: $held_by" "$reason; $count restarts in $BUDGET_SECONDS s, the next one in $left s at the earliest" ;;
  esac
}

# finish: end the process that is to be restarted.
finish() {
  condemned "$records/restarts" "$process" || return
  say restarting "TERM to process ${process%:*}, KILL after $STOP_SECONDS s"
  kill -TERM "${process%:*}"
  moment
  if ended $((condemned_at + STOP_SECONDS - now)); then
    echo "Process ${process%:*} has ended by TERM"
  elif kill -KILL "${process%:*}" && ended 5; then
    echo "Process ${process%:*} has ended by KILL"
  else
    say stuck "process ${process%:*} does not end"
  fi
}

rm -f "$records/leaving" "$dumps"/*.new
open_events "$records/events"
recall "$records/process"
while :; do
  moment
  round=$now
  if [ -e "$records/leaving" ]; then
    say leaving "the pod is being ended, $TARGET is left alone"
  elif ! follow; then
    say absent "$pid"
  elif condemned "$records/restarts" "$process"; then
    finish
  else
    ask "$url" "$SLOW_SECONDS" "$PROBE_TIMEOUT_SECONDS" "$records/error"
    # One that has ended meanwhile is the kubelet's to start again.
    if runs && [ ! -e "$records/leaving" ]; then
      judge
    fi
  fi
  record "$records/process"
  moment
  left=$((round + interval - now))
  [ "$left" -le 0 ] || pause "$left"
done
