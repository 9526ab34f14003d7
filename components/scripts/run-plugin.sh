# run-plugin DIRECTORY ENTRY INTERVAL: run the plug-in's ENTRY every INTERVAL seconds, from the
# time on when there is one. DIRECTORY is a link, which is followed once: all files of a run
# are of one bundle.
directory=$1 entry=$2 interval=$3

plugin() {
  cd -P "$directory" && exec sh "./$entry"
}

# Beside a native sidecar it is there already.
while [ ! -e "$directory/$entry" ]; do
  pause 1
done
while :; do
  attend plugin || echo "The plug-in has ended with exit code $?"
  pause "$interval"
done
