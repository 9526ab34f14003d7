# keep-drain DIRECTORY PORT READY_PORT DRAIN INTERVAL: answer /ready at READY_PORT while this pod
# does not drain, and report how it drains: what becomes of the connections to PORT, in which order
# what ends. DIRECTORY has what the preStop hook and the app say; INTERVAL is for `watch`.
# DRAIN is how many seconds the app may take.
directory=$1 port=$2 ready_port=$3 drain=$4 interval=$5
site=/tmp/site phase=serving told='' count=''

# say TEXT: a line of the log with its time, to the millisecond. (Busybox's date knows seconds, but
# files have finer times.)
say() {
  echo >/tmp/clock
  echo "$(stat -c %y /tmp/clock | cut -c 1-23) $1"
}

# tick: `now` in hundredths of a second since the machine's start.
tick() {
  read -r now _ </proc/uptime
  now=${now%.*}${now#*.}
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

# farewell: how the app ended. One that takes all its time had requests left.
farewell() {
  if [ ! -e "$directory/stopped" ]; then
    say "app was killed, $before in flight"
  elif [ "$((now - since))" -ge "$((drain * 100))" ]; then
    say "app ended, its $drain s were over: $before in flight cut off"
  else
    say "app ended"
  fi
}

# look: see what has changed, and say it.
look() {
  tick
  before=$count
  count=$(in_flight "$port")
  if [ "$count" != "$before" ]; then
    echo "$count" | publish "$site/in-flight"
    [ "$phase" = serving ] || [ "$phase" = ended ] || say "$count in flight"
  fi
  if [ "$phase" = serving ] && [ -e "$directory/draining" ]; then
    rm -f "$site/ready"
    phase=draining since=$now
    say "unready, $count in flight"
    follow
  fi
  if [ "$phase" = draining ] && [ -e "$directory/stopping" ]; then
    phase=stopping since=$now
    say "preStop over, $count in flight"
  fi
  if [ "$phase" != ended ] && [ -e /tmp/ended ]; then
    farewell
    phase=ended
  fi
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
