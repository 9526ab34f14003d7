# publish-files SOURCE CONTENT NOTED INTERVAL: keep the files in CONTENT as the mounted ConfigMap SOURCE
# has them: each in one step, those that it has no more removed, what others put there left alone.
# A version is published once, and not before the scanner has put it into the file NOTED: nothing
# that it does not know yet is there for it to find. /tmp/done says which, /tmp/published which files it may remove.
# INTERVAL is for `watch`.
source=$1 content=$2 noted=$3 interval=$4
umask 022

# mounted: which version of the ConfigMap is there: the kubelet gives each a name of its own.
mounted() {
  readlink "$source/..data"
}

# same NAME: whether it is there already, as it is to be.
same() {
  [ -f "$content/$1" ] && [ ! -L "$content/$1" ] && [ "$(stat -c %a "$content/$1")" = 644 ] &&
    timeout 5 cmp -s "$from/$1" "$content/$1"
}

# put NAME: others may write to CONTENT, and must not lead this script elsewhere. So it writes to
# no file that is there already, whatever it is, and moves into no directory.
put() {
  rm -rf "$content/..new"
  (set -C && cat "$from/$1" >"$content/..new") && mv -fT "$content/..new" "$content/$1"
}

# obsolete NAME: remove it, unless it is missing because the kubelet has taken all of them away.
obsolete() {
  [ "$(mounted)" = "$version" ] && rm -f "$content/$1"
}

# publish_version: all files of the version that is offered.
publish_version() {
  from=$source/$version
  names=$(cd "$from" && find . -type f) || return 1
  # The kubelet takes away what it no longer offers.
  [ "$(mounted)" = "$version" ] || return 1
  echo "$names" >>/tmp/published
  complete=true
  for name in $names; do
    same "$name" || put "$name" || complete=false
  done
  while read -r name; do
    [ -e "$from/$name" ] || obsolete "$name" || complete=false
  done </tmp/published
  "$complete" && echo "$names" | publish /tmp/published
}

watch "$source" "$interval"
waiting=''
while :; do
  version=$(mounted)
  if [ "$version" = "$(cat /tmp/done 2>/dev/null)" ]; then
    change
  elif [ "$version" != "$(cat "$noted" 2>/dev/null)" ]; then
    [ "$waiting" = "$version" ] || echo "waiting for the scanner to know $version"
    waiting=$version
    pause 1
  elif publish_version; then
    echo "$version" | publish /tmp/done
    echo "published $(echo "$names" | sed 's,^\./,,' | sort | tr '\n' ' ')"
  else
    echo "cannot publish all of $version, trying again"
    pause 5
  fi
done
