# keep-token SOURCE LIVE PORT GENERATION_PORT OVERLAP INTERVAL: let nginx at PORT answer those who
# show the token in the file SOURCE, and for OVERLAP seconds those who show a former one. A new
# token is accepted beside the former ones; once nothing but that is served, LIVE/status says so.
# What a token is stands in the files of LIVE alone: in no log, no argument, no environment.
source=$1 live=$2 port=$3 generation_port=$4 overlap=$5 interval=$6
tokens=$live/tokens
# Files are for this user alone, who is nginx's too.
umask 077
loaded='' generation='' serving='' alarm=''

# compose GENERATION: the whole configuration. In a map, texts ignore case and expressions don't.
compose() {
  nginx_config /tmp/nginx.pid "
  map \$http_authorization \$accepted {
$(while read -r _ _ known; do printf '    "~^(?i:Bearer) +\\Q%s\\E$" yes;\n' "$known"; done <"$tokens")
  }
  $(generation_server "$generation_port" "$1")
  server {
    $(listen "$port")
    location / {
      if (\$accepted = '') {
        add_header WWW-Authenticate Bearer always;
        return 401;
      }
      return 200 'Hello\n';
    }
  }"
}

# look: take what SOURCE offers, and let go what has ended. A generation is a time, which says
# nothing of a token.
look() {
  token=$(cat "$source" 2>/dev/null)
  reason=$(wrong "$token")
  read -r _ _ known <"$tokens"
  [ -z "$reason" ] && [ "$token" != "$known" ] || token=''
  read -r now _ </proc/uptime
  lines=$(current "$tokens" "$now" "$token")
  if [ -n "$lines" ] && [ "$lines" != "$loaded" ]; then
    before=$(served "$generation_port")
    echo "$lines" | publish "$tokens" && compose "$now" | publish "$live/nginx.conf" &&
      loaded=$lines generation=$now
  fi
}

# in_force: wait until nothing but the generation is served. Workers that a reload has replaced go
# on for 10 s with what was begun there.
in_force() {
  serves "$generation_port" "$generation" || return 1
  [ -z "$before" ] || pause 11
}

# say: what is accepted. Then `change` returns when the next token ends.
say() {
  report "$live/status" "${reason:+the token in the Secret $reason; }$(told "$tokens")"
  next=$(next_end "$tokens")
  if [ -n "$next" ] && [ "$next" != "$alarm" ]; then
    alarm=$next
    { sleep $((next - ${now%.*})) && echo; } >&3 &
    watchers="$beside $!"
  fi
}

: >>"$tokens"
watch "${source%/*}" "$interval"
beside=$watchers
while :; do
  look
  if [ "$serving" = "$generation" ]; then
    say
    change
  elif in_force; then
    serving=$generation
    loaded=$(settled "$tokens" "$overlap")
    echo "$loaded" | publish "$tokens"
  else
    report "$live/status" "nginx has not taken up a change yet; what it accepts stays"
    # A new generation makes it load once more.
    loaded=''
  fi
done
