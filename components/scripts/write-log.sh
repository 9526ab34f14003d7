# write-log FILE INTERVAL: append a line to FILE every INTERVAL seconds, through a descriptor that
# stays open, as most programs do. USR1 has it open FILE anew, as nginx does and logrotate expects.
# The secrets are made up, to be seen masked.
file=$1 interval=$2
request=0

# line LEVEL TEXT: one write, so that no line is torn if this process is killed.
line() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $1 $2"
}

# A child that had the log open would keep it open after it is opened anew.
doze() {
  exec sleep "$1" >/dev/null
}

stop() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  line INFO "stopped after request $request"
  exit 0
}

exec >>"$file"
trap 'exec >>"$file"' USR1
trap stop TERM INT QUIT
line INFO started
while :; do
  request=$((request + 1))
  case $((request % 3)) in
    0) line INFO "request=$request user=demo password=made-up-password-$request" ;;
    1) line WARN "request=$request body={\"user\": \"demo\", \"api_key\": \"made-up-key-$request\"}" ;;
    *) line INFO "request=$request Authorization: Bearer made-up-token-$request" ;;
  esac
  attend doze "$interval"
done
