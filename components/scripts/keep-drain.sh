# keep-drain DIRECTORY PORT READY_PORT DRAIN INTERVAL: answer /ready at READY_PORT while this pod
# does not drain, and report how it drains: what becomes of the connections to PORT, in which order
# what ends. DIRECTORY has what the preStop hook and the app say; INTERVAL is for `watch`.
# DRAIN is how many seconds the app may take.
directory=$1 port=$2 ready_port=$3 drain=$4 interval=$5
site=/tmp/site phase=serving told='' count='' left=0 more=''

# say TEXT [FILE]: a line of the log with the time at which FILE was written, or with this moment's,
# to the millisecond. (Busybox's date knows seconds, but files have finer times.)
say() {
  echo >/tmp/clock
  echo "$(stat -c %y "${2:-/tmp/clock}" | cut -c 1-23) $1"
}

# moment FILE: `moment` is when it was written, in hundredths of a second.
moment() {
  moment=$(stat -c %y "$1" | cut -c 21-22)
  moment=$(stat -c %Y "$1")$moment
}

# follow: look every second from now on, and when the app has ended: then no process holds its pipe
# open any more, however they ended. (With a writer of our own, opening it waits for nobody.)
follow() {
  { while sleep 1; do echo; done >&3; } &
  ticker=$!
  {
    if [ -p "$directory/alive" ]; then
      exec 5<>"$directory/alive"
      exec 6<"$directory/alive"
      exec 5>&-
      cat <&6
    fi
    echo >/tmp/ended
    echo >&3
  } &
  watchers="$watchers $ticker $!"
}

# late FILE: whether it was written when the app's time to drain was over. An app that takes all its
# time has requests left.
late() {
  [ -e "$directory/stopping" ] || return 1
  moment "$directory/stopping"
  begun=$moment
  moment "$1"
  [ "$((moment - begun))" -ge "$((drain * 100))" ]
}

# look: see what has changed, and say it.
look() {
  # First what cannot wait: counting takes a moment where many have come and gone.
  if [ "$phase" = serving ] && [ -e "$directory/draining" ]; then
    rm -f "$site/ready"
    echo >/tmp/unready
    phase=unready
  fi
  before=$count
  count=$(in_flight "$port")
  [ "$count" = "$before" ] || echo "$count" | publish "$site/in-flight"
  if [ "$phase" = unready ]; then
    phase=draining before=$count
    say "unready, $count in flight" /tmp/unready
    follow
  fi
  if [ "$phase" = draining ] && [ -e "$directory/stopping" ]; then
    phase=stopping before=$count
    say "preStop over, $count in flight" "$directory/stopping"
  fi
  case $phase in
    draining | stopping)
      if [ ! -e /tmp/ended ]; then
        [ "$count" = "$before" ] || say "$count in flight"
        # Later counts may miss some of what is being cut off.
        echo >/tmp/clock
        late /tmp/clock || left=$count
      elif [ ! -e "$directory/stopped" ]; then
        say "app was killed, $before in flight"
        phase=ended
      else
        late "$directory/stopped" && more=", its $drain s were over: $left in flight cut off" || more=''
        say "app ended$more" "$directory/stopped"
        phase=ended
      fi
      ;;
  esac
  # The app alone has ended, and starts again in a pod that stays.
  if [ "$phase" != serving ] && [ ! -e "$directory/draining" ]; then
    phase=serving
    kill "$ticker"
    rm -f /tmp/ended
    echo ready >"$site/ready"
    say "ready again"
  fi
}

# finish: nothing ends before what it reports: classic sidecars are told to end with the app.
finish() {
  told=yes
  echo >&3
}

# This container may be the second one of a pod that drains: it must not say ready then.
rm -rf "$site" /tmp/ended
mkdir "$site"
[ -e "$directory/draining" ] || echo ready >"$site/ready"
watch "$directory" "$interval"
trap finish TERM INT QUIT
{
  httpd -f -p "$ready_port" -h "$site"
  echo >/tmp/silent
  echo >&3
} &
watchers="$watchers $!"
[ ! -e "$site/ready" ] || say ready
while [ ! -e /tmp/silent ]; do
  look
  case $told$phase in
    yesserving | yesended)
      say "keeper ends"
      end
      ;;
  esac
  change
done
echo "Nothing answers at port $ready_port" >&2
false
