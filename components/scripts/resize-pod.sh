# resize-pod MIN MAX HEADROOM INTERVAL CREDENTIALS CGROUP: every INTERVAL seconds, give container
# TARGET of this pod, POD_NAME in POD_NAMESPACE, the CPU that it uses and HEADROOM percent more,
# between MIN and MAX millicores. CREDENTIALS has the service account token and ca.crt, and CGROUP
# is where a container sees its own cgroup. What is refused is logged and tried again, after
# 1 s, 2 s, 4 s, up to INTERVAL. Needs shareProcessNamespace, and the user ID of TARGET.
min=$1 max=$2 headroom=$3 interval=$4 credentials=$5 cgroup=$6
process='' before='' begun=0 use='' seen='' asked=''

# measure: put what TARGET uses into use, in millicores, as soon as there is an interval to
# measure over, and what it may use into limit.
measure() {
  locate && cpu "$cgroup" || return 1
  read -r uptime _ </proc/uptime
  now=${uptime%.*}${uptime#*.} # in hundredths of a second
  if [ "$process" != "$app $born" ]; then
    process="$app $born" before=$used begun=$now use=''
  elif [ $((now - begun)) -ge $((interval * 99)) ]; then
    use=$(((used - before) / (now - begun) / 10)) before=$used begun=$now
  fi
  [ "$limit" = "$seen" ] || echo "$TARGET may use ${limit}m"
  seen=$limit
}

# decide: put what TARGET is to get into aim; fails if it stays as it is.
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
  # What was asked for last may be still to come, and not be wanted any more.
  [ "$aim" -ne "$limit" ] || [ "$aim" -ne "${asked:-$aim}" ]
}

# resize MILLICORES: ask for them. The answer tells what the kubelet says of what was asked before.
resize() {
  amount="{\"cpu\":\"$1m\"}"
  container="{\"name\":\"$TARGET\",\"resources\":{\"requests\":$amount,\"limits\":$amount}}"
  patch="{\"spec\":{\"containers\":[$container]}}"
  if ! answer=$(patch_pod "$credentials" /resize strategic-merge "$patch"); then
    echo "$answer"
    return 1
  fi
  pending='"type":"PodResizePending",[^}]*"reason":"\([^"]*\)","message":"\([^"]*\)"'
  echo "$answer" | sed -n "s/.*$pending.*/The kubelet has not done it yet: \1: \2/p"
}

while :; do
  if ! measure; then
    echo "No process $TARGET to measure"
    later "$interval"
  elif ! decide; then
    retry=1
    pause "$interval"
  else
    known=${use:+${use}m}
    echo "$TARGET uses ${known:-an unknown part} of ${limit}m: resizing to ${aim}m"
    if attend resize "$aim"; then
      retry=1 asked=$aim
      pause "$interval"
    else
      later "$interval"
    fi
  fi
done
