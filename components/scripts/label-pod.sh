# label-pod LABEL INTERVAL CREDENTIALS: set LABEL of this pod, POD_NAME in
# POD_NAMESPACE, to the time of day every INTERVAL seconds, with the service
# account token and ca.crt in the directory CREDENTIALS. A refusal or an API
# server that is away is logged and tried again, after 1 s, 2 s, 4 s, up to
# INTERVAL.
label=$1 interval=$2 credentials=$3
case $KUBERNETES_SERVICE_HOST in
  *:*) host="[$KUBERNETES_SERVICE_HOST]" ;; # IPv6
  *) host=$KUBERNETES_SERVICE_HOST ;;
esac
pod="https://$host:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$POD_NAMESPACE/pods/$POD_NAME"

# The token is read at each use, since the kubelet replaces it, and goes to curl
# over standard input, since others can read a command line. To curl's own name the
# API server would answer in many lines.
set_label() {
  answer=$(
    printf 'header = "Authorization: Bearer %s"\n' "$(cat "$credentials/token")" |
      curl --config - --silent --show-error --fail-with-body --max-time 10 \
        --user-agent label-pod --stderr - --cacert "$credentials/ca.crt" --request PATCH \
        --header 'Content-Type: application/merge-patch+json' \
        --data "{\"metadata\":{\"labels\":{\"$label\":\"$1\"}}}" "$pod"
  ) && return
  echo "$answer"
  return 1
}

retry=1
while :; do
  version=$(date +%H-%M-%S)
  echo "Updating $label to $version"
  if attend set_label "$version"; then
    retry=1
    pause "$interval"
  else
    [ "$retry" -lt "$interval" ] || retry=$interval
    echo "Trying again in $retry s"
    pause "$retry"
    retry=$((retry * 2))
  fi
done
