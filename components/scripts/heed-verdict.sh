# heed-verdict VERDICT SIGNAL INTERVAL COMMAND...: run the app, COMMAND, and send it SIGNAL once
# for each line that is new in VERDICT/findings, several at a time once; what is there when the
# app starts is new to it. It gets none before it handles it. INTERVAL is for `watch`. As this
# container signals its own process, no other one needs to see its processes.
verdict=$1 signal=$2 interval=$3
shift 3

# stop: end the app first.
stop() {
  kill "$(cat /tmp/app)" 2>/dev/null
  wait "$runner"
  end
}

# The volume at /tmp may be older than this container.
rm -f /tmp/app /tmp/ended
watch "$verdict" "$interval"
{
  "$@" 3>&- &
  echo "$!" | publish /tmp/app
  echo >&3
  wait "$!"
  echo "$?" | publish /tmp/ended
  echo >&3
} &
runner=$!
while [ ! -e /tmp/app ]; do
  change
done
trap stop TERM INT QUIT
app=$(cat /tmp/app)
told=''
while [ ! -e /tmp/ended ]; do
  now=$(cat "$verdict/findings" 2>/dev/null)
  if [ -z "$now" ] || { [ -n "$told" ] && ! echo "$now" | grep -qvxF -e "$told"; }; then
    told=$now
  elif catches "$app" "$signal"; then
    told=$now
    kill "-$signal" "$app"
  fi
  change
done
(exit "$(cat /tmp/ended)")
