# Stands in scripts that change their own pod, POD_NAME in POD_NAMESPACE, after common.sh. Needs
# curl, and a service account token and ca.crt in a directory.

case $KUBERNETES_SERVICE_HOST in
  *:*) host="[$KUBERNETES_SERVICE_HOST]" ;; # IPv6
  *) host=$KUBERNETES_SERVICE_HOST ;;
esac
own_pod="https://$host:$KUBERNETES_SERVICE_PORT/api/v1/namespaces/$POD_NAMESPACE/pods/$POD_NAME"

# patch_pod CREDENTIALS PATCH: send this pod a merge patch, and print the answer; fails if it is a
# refusal.
# The token is read at each use, since the kubelet replaces it, and goes to curl over standard
# input, since others can read a command line. To curl's own name the API server would answer
# in many lines.
patch_pod() {
  printf 'header = "Authorization: Bearer %s"\n' "$(cat "$1/token")" |
    curl --config - --silent --show-error --fail-with-body --max-time 10 \
      --user-agent sidecar --stderr - --cacert "$1/ca.crt" --request PATCH \
      --header "Content-Type: application/merge-patch+json" --data "$2" "$own_pod"
}

# later MOST: wait before another try, 1 s, 2 s, 4 s, up to MOST; `retry=1` begins again.
retry=1
later() {
  [ "$retry" -lt "$1" ] || retry=$1
  echo "Trying again in $retry s"
  pause "$retry"
  retry=$((retry * 2))
}
