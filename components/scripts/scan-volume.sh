# scan-volume SOURCE CONTENT BASELINE VERDICT INTERVAL: compare the files in CONTENT with those of
# the mounted ConfigMap SOURCE, every INTERVAL seconds. BASELINE has what may be there: `now`, and
# `former` while what was there before is being replaced. What is not allowed stands in
# VERDICT/findings, and in the log once; VERDICT/status is written by each scan.
# The version in VERDICT/version is known: its files are no finding.
source=$1 content=$2 baseline=$3 verdict=$4 interval=$5
owner=$(id -u):$(id -g)

# still: whether the mounted ConfigMap is still VERSION: the kubelet gives each a name of its own.
still() {
  [ "$(readlink "$source/..data")" = "$version" ]
}

# know: make what is offered the baseline. What was allowed before stays allowed until the
# publisher has replaced all of it, even if one of the two is ended midway.
know() {
  [ "$version" != "$known" ] || return 0
  { echo "$version" && wanted "$source/$version" "$owner"; } >"$baseline/next"
  still || return 1
  [ -e "$baseline/now" ] || echo none >"$baseline/now"
  cat "$baseline/now" >>"$baseline/former" && mv -f "$baseline/next" "$baseline/now" &&
    known=$version && note
}

# note: tell the publisher which version it may publish.
note() {
  echo "$known" | publish "$verdict/version"
}

# scan: fails if another version was offered meanwhile, whose files may have been seen.
scan() {
  version=$(readlink "$source/..data")
  know || return 1
  set -- "$baseline/now"
  [ ! -e "$baseline/former" ] || set -- "$@" "$baseline/former"
  attend look_at "$content" "$@"
  still || return 1
  judge "$@" >/tmp/findings
  [ -s /tmp/pending ] || [ ! -e "$baseline/former" ] || rm "$baseline/former"
}

# beyond FILE OTHER: the lines of OTHER that FILE has not.
beyond() {
  awk -v file="$1" 'BEGIN { while ((getline line <file) > 0) has[line] } !($0 in has)' "$2"
}

# tell: say what is new and what is over, and leave the verdict.
tell() {
  if ! cmp -s /tmp/known /tmp/findings; then
    beyond /tmp/known /tmp/findings
    beyond /tmp/findings /tmp/known | sed 's/^/over: /'
    cp /tmp/findings /tmp/known
  fi
  cmp -s /tmp/findings "$verdict/findings" || publish "$verdict/findings" </tmp/findings
  state="clean: all files as published"
  [ ! -s /tmp/pending ] || state="publishing: $(sort -u /tmp/pending | head -n 5 | tr '\n' ' ')to come"
  [ ! -s /tmp/findings ] || state="violated: $(($(wc -l </tmp/findings))) findings"
  echo "$state" | publish "$verdict/status"
  [ "$state" = "$said" ] || echo "$state"
  said=$state
}

: >/tmp/known
# It may have been ended before it could say so.
known=$(head -n 1 "$baseline/now" 2>/dev/null) && note
watch "$source" "$interval"
while :; do
  until scan; do
    pause 1
  done
  tell
  change
done
