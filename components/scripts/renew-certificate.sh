# renew-certificate CA LIVE NAMES PORT INTERVAL LIFETIME SKEW: keep nginx at PORT on a certificate
# for NAMES from the CA in that directory. A new one comes every INTERVAL seconds, and at once if
# the CA is another one; it is valid for LIFETIME seconds, and since SKEW seconds for clients whose
# clocks are behind. Certificate and key are one file in the directory LIVE, put there in one step,
# and then seen to be served. A CA that can't sign changes nothing, and how long the certificate
# will do is in the log and in LIVE/status.
ca=$1 live=$2 names=$3 port=$4 interval=$5 lifetime=$6 skew=$7
umask 077

# due: whether it is time for a certificate: for the first one of this CA, or, once nginx serves
# it, for another one, before there would be none. An age below 0: the clock has been set back.
due() {
  age=$((now - issued))
  [ "$offer" != "$issuer" ] || [ "$age" -lt 0 ] || [ $((age * 2)) -ge "$interval" ] ||
    { [ "$serving" = "$current" ] && [ $((until - now)) -le $((interval + 5)) ]; }
}

# look: renew the certificate if it is time.
look() {
  now=$(date +%s)
  offer=$(cat "$ca/tls.crt" "$ca/tls.key" 2>/dev/null | sha256sum | cut -c 1-12)
  if ! due; then
    return
  elif ! issue "$ca" "$names" $((now - skew)) $((now + lifetime)); then
    report "$live/status" "CA: $reason: $(remaining)"
  # The first line, which is no part of the PEM, is for this script when it is started again.
  elif printf '%s\n' "$serial $offer $now $end" "$pem" | publish "$live/server.pem"; then
    current=$serial issuer=$offer issued=$now until=$end
    report "$live/status" "issued certificate $current"
    [ -e "$live/nginx.conf" ] || tls_config "$port" "$live/server.pem" | publish "$live/nginx.conf"
  fi
}

# remaining: how long the certificate will do.
remaining() {
  if [ -z "$current" ]; then
    echo "no certificate yet"
  elif [ "$until" -gt "$now" ]; then
    echo "certificate $current valid for another $((until - now)) s"
  else
    echo "certificate $current expired $((now - until)) s ago"
  fi
}

watch "$ca" "$interval"
current='' issuer='' issued=0 until=0 serving='' tries=0
# This script may be started again beside an nginx that runs.
[ ! -e "$live/server.pem" ] || read -r current issuer issued until <"$live/server.pem"
while :; do
  look
  if [ "$current" = "$serving" ]; then
    change
    continue
  fi
  found=$(served_serial "$port") tries=$((tries + 1))
  if [ "$found" = "$current" ]; then
    serving=$current tries=0
    report "$live/status" "serving $(remaining)"
  elif [ "$tries" -lt 50 ]; then
    pause 0.2
  else
    # nginx may have missed this certificate, or not be there at all.
    tries=0
    report "$live/status" "nginx serves ${found:-nothing} instead of $current"
    [ -z "$found" ] || issuer=''
  fi
done
