# label-pod LABEL INTERVAL CREDENTIALS: set LABEL of this pod, POD_NAME in
# POD_NAMESPACE, to the time of day every INTERVAL seconds, with the service
# account token and ca.crt in the directory CREDENTIALS. A refusal or an API
# server that is away is logged and tried again, after 1 s, 2 s, 4 s, up to
# INTERVAL.
label=$1 interval=$2 credentials=$3

set_label() {
  answer=$(
    patch_pod "$credentials" "{\"metadata\":{\"labels\":{\"$label\":\"$1\"}}}"
  ) && return
  echo "$answer"
  return 1
}

while :; do
  version=$(date +%H-%M-%S)
  echo "Updating $label to $version"
  if attend set_label "$version"; then
    retry=1
    pause "$interval"
  else
    later "$interval"
  fi
done
