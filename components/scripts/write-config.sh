# write-config FILE TEXT [INTERVAL]: write TEXT into FILE once, or, with an
# INTERVAL, TEXT and the date every INTERVAL seconds. The first rewrite comes
# after one interval: a native sidecar starts before the app, which should see
# the initial configuration first.
file=$1 text=$2

if [ $# -lt 3 ]; then
  printf '%s\n' "$text" | publish "$file"
  exit
fi
while :; do
  pause "$3"
  printf '%s\n' "$text $(date)" | publish "$file" && echo "Rewrote $file"
done
