# reload-config SOURCE LIVE PID_FILE PORT GENERATION_PORT INTERVAL: keep nginx at PORT on the
# configuration SOURCE, the directives of a server block. A new one is tested, put into the
# directory LIVE in one step, loaded, and seen to serve; one that nginx refuses goes no
# further. What happens is in the log and in LIVE/status. TARGET names nginx's container.
# Needs shareProcessNamespace, and the user ID of nginx.
source=$1 live=$2 pid_file=$3 port=$4 generation_port=$5 interval=$6
offered=''

# compose: the whole configuration around one reading of SOURCE, named for its digest.
compose() {
  directives=$(cat "$source") || return 1
  offer=$(printf '%s' "$directives" | sha256sum | cut -c 1-12)
  nginx_config "$pid_file" "
  $(generation_server "$generation_port" "$offer")
  server {
    $(listen "$port")
    $directives
  }" >"$live/candidate"
}

# look: take what SOURCE offers, if it is new and nginx accepts it.
look() {
  compose && [ "$offer" != "$offered" ] || return 0
  offered=$offer
  if reason=$(nginx -t -q -e /dev/stderr -c "$live/candidate" 2>&1); then
    mv -f "$live/candidate" "$live/nginx.conf"
    generation=$offer
    # What was refused has been taken back.
    [ "$serving" != "$offer" ] || report "$live/status" "serving $offer"
  else
    report "$live/status" "refused $offer, ${generation:-nothing} stays: $reason"
  fi
}

watch "${source%/*}" "$interval"
# This script may be started again beside an nginx that runs.
serving=$(served "$generation_port")
generation=$serving
while :; do
  look
  if [ "$serving" = "$generation" ]; then
    change
  elif take_up "$pid_file" "$generation_port" "$generation"; then
    serving=$generation
    report "$live/status" "serving $generation"
  else
    report "$live/status" "$TARGET does not serve $generation yet"
    pause 1
  fi
done
