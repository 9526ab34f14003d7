# resize-pod MIN MAX HEADROOM INTERVAL CREDENTIALS [PROC]: every INTERVAL seconds, give container
# MEASURED of this pod, POD_NAME in POD_NAMESPACE, the CPU that it uses and HEADROOM percent more,
# between MIN and MAX millicores; it begins with CPU_LIMIT. CREDENTIALS has the service account
# token and ca.crt. What is refused is logged and tried again, after 1 s, 2 s, 4 s, up to
# INTERVAL. Needs shareProcessNamespace.
min=$1 max=$2 headroom=$3 interval=$4 credentials=$5 proc=${6:-/proc}
TARGET=$MEASURED limit=$CPU_LIMIT subject='' before=0 begun=0 use='' settled=yes

# measure: put what TARGET uses into use, in millicores, as soon as there has been an interval.
measure() {
  locate && used_of "$proc" || return 1
  read -r uptime _ </proc/uptime
  now=${uptime%.*}${uptime#*.} # in hundredths of a second
  if [ "$subject" != "$app $born" ]; then
    subject="$app $born" before=$used begun=$now use=''
  elif [ $((now - begun)) -ge $((interval * 99)) ]; then
    # What ended while nobody of the container waited for it is in no account any more.
    [ "$used" -ge "$before" ] || before=$used
    use=$(((used - before) * 1000 / (now - begun))) before=$used begun=$now
  fi
}

# decide: put what TARGET is to get into aim; fails if that is what it has.
decide() {
  if [ -z "$use" ]; then
    aim=$limit
  elif [ $((use * (200 + headroom))) -ge $((limit * 200)) ]; then
    # Less than half of the headroom is left. What is held at its limit can't show what it would
    # use, so it gets twice that.
    aim=$((limit * 2))
  else
    aim=$(((use * (100 + headroom) / 100 + 9) / 10 * 10))
    # A little less is not worth a request.
    [ $((aim * 5)) -lt $((limit * 4)) ] || aim=$limit
  fi
  [ "$aim" -ge "$min" ] || aim=$min
  [ "$aim" -le "$max" ] || aim=$max
  [ "$aim" -ne "$limit" ]
}

# resize MILLICORES: ask for them; 1 if that is refused, 2 if the kubelet has something to do
# still, which is what it had before this.
resize() {
  amount="{\"cpu\":\"$1m\"}"
  container="{\"name\":\"$TARGET\",\"resources\":{\"requests\":$amount,\"limits\":$amount}}"
  patch="{\"spec\":{\"containers\":[$container]}}"
  if ! answer=$(patch_pod "$credentials" /resize strategic-merge "$patch"); then
    echo "$answer"
    return 1
  fi
  why='"type":"PodResize[A-Z][A-Za-z]*",[^}]*"reason":"\([^"]*\)","message":"\([^"]*\)"'
  echo "$answer" | sed -n "s/.*$why.*/The kubelet has not done it yet: \1: \2/p"
  case $answer in *'"type":"PodResize'*) return 2 ;; esac
}

while :; do
  if ! measure; then
    echo "No process $TARGET to measure"
    later "$interval"
    continue
  elif decide; then
    echo "$TARGET uses ${use:-an unknown part} of $limit millicores: asking for $aim"
  elif [ "$settled" ]; then
    retry=1
    pause "$interval"
    continue
  fi
  # After a change, the same once more tells what has become of it.
  attend resize "$aim"
  case $?,$((aim - limit)) in
    1,*) later "$interval" && continue ;;
    0,0) settled=yes && echo "$TARGET has $aim millicores" ;;
    *) settled='' limit=$aim ;;
  esac
  retry=1
  pause "$interval"
done
