# Stands in scripts that ask a server whether it answers, after common.sh and restarts.sh.

# open_events FILE: a pipe there tells what happens.
open_events() {
  rm -f "$1"
  mkfifo "$1"
  # For reading and writing, so that reading waits while nobody writes.
  exec 3<>"$1"
  trap leave TERM INT QUIT
}
asker='' timer='' request=0

# leave: nothing that runs beside this script outlives it.
leave() {
  for process in $asker $timer $child; do
    kill "$process" 2>/dev/null
  done
  exit 0
}

# ask URL SLOW TIMEOUT ERRORS: ask the server. `answer` is 0 if it answers within TIMEOUT seconds,
# and well, else the file ERRORS has why not; `took` is how many milliseconds that took. `late`
# runs once SLOW seconds have passed, while the server still has the request.
ask() {
  # What an earlier request has to say comes too late.
  request=$((request + 1)) answer=
  moment
  began=$hundredths
  {
    timeout "$3" wget -q -O /dev/null "$1" 2>"$4"
    set -- "$?"
    moment
    echo "$request $1 $hundredths" >&3
  } &
  asker=$!
  { sleep "$2" && echo "$request late" >&3; } &
  timer=$!
  while [ -z "$answer" ]; do
    read -r which what hundredths <&3
    case "$which $what" in
      "$request late") late ;;
      "$request "*) answer=$what took=$(((hundredths - began) * 10)) ;;
    esac
  done
  kill "$timer" 2>/dev/null
  # The shell forgets those alone that it has waited for.
  wait "$asker" 2>/dev/null
  wait "$timer" 2>/dev/null
  asker='' timer=''
}
