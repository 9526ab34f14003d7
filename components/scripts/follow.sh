# Stands in scripts that follow another container's main process, after common.sh, target.sh and
# restarts.sh. What is known of it is in these variables, and in a file that outlasts the script:
# `process`, its number and when it started; `seen`, since when it is followed; `up`, whether it
# has ever answered; `failures`, how often it has not, in a row; `occurrence`, the name of the dump
# that the present trouble has got, or none; `good`, how often it has answered well since.

# meet PROCESS: nothing is known of it yet.
meet() {
  moment
  process=$1 seen=$now up=no failures=0 occurrence=none good=0
}

# recall FILE: what was known.
recall() {
  meet 0:0
  read -r process seen up failures occurrence good 2>/dev/null <"$1"
  recorded="$process $seen $up $failures $occurrence $good"
}

# record FILE: for the next time.
record() {
  set -- "$1" "$process $seen $up $failures $occurrence $good"
  if [ "$2" != "$recorded" ] && echo "$2" | publish "$1"; then
    recorded=$2
  fi
}

# follow: find TARGET's process, unless it is known; why there is none is in `pid`.
follow() {
  ! runs || return 0
  pid=$(target) && start "$pid" && meet "$pid:$ticks"
}

# ended SECONDS: true if it has ended by then.
ended() {
  moment
  deadline=$((now + $1))
  while runs; do
    moment
    [ "$now" -lt "$deadline" ] || return 1
    pause 0.2
  done
}
