# Stands in scripts that restart other containers, after common.sh: a list of restarts in a file,
# each with its second and the process that it ends. The list is what says that a process is to
# be ended, so that a script which is itself started again goes on with that restart, and
# begins no second one. Seconds count from the machine's start: nobody sets that clock.

# moment: the time, in `now` as seconds and in `hundredths`.
moment() {
  read -r hundredths _ </proc/uptime
  now=${hundredths%.*}
  hundredths=$now${hundredths#*.}
}

# spent FILE SECONDS: of the restarts in FILE those within so many seconds: they are in `kept`, a
# line each, `count` says how many, and `first` and `last` when.
spent() {
  moment
  count=0 first=0 last=0 kept=
  while read -r second process_then; do
    # One that is still to come is from before the machine's last start.
    if [ "$second" -le "$now" ] && [ "$second" -gt $((now - $2)) ]; then
      [ "$count" -gt 0 ] || first=$second
      count=$((count + 1)) last=$second
      kept="$kept$second $process_then
"
    fi
  done 2>/dev/null <"$1"
}

# to_wait FILE SECONDS BUDGET BACKOFF: the seconds until another restart is allowed, in `left`, and
# why in `held_by`. There are BUDGET of them within SECONDS, and after the first
# one BACKOFF lie before the next, twice as many each time.
to_wait() {
  spent "$1" "$2"
  left=0 held_by=
  if [ "$count" -ge "$3" ]; then
    # A budget of 0 is always used up.
    [ "$count" -gt 0 ] || first=$now
    left=$((first + $2 - now)) held_by=budget
  elif [ "$count" -gt 0 ]; then
    gap=$4 doubled=1
    while [ "$doubled" -lt "$count" ] && [ "$gap" -lt "$2" ]; do
      gap=$((gap * 2)) doubled=$((doubled + 1))
    done
    left=$((last + gap - now)) held_by=backoff
  fi
  [ "$left" -gt 0 ] || left=0 held_by=
}

# condemn FILE SECONDS PROCESS: begin a restart, which counts from now on.
condemn() {
  spent "$1" "$2"
  printf '%s%s %s\n' "$kept" "$now" "$3" | publish "$1"
}

# condemned FILE PROCESS: whether its restart has begun; since when is in `condemned_at`.
condemned() {
  condemned_at=
  while read -r second process_then; do
    [ "$process_then" != "$2" ] || condemned_at=$second
  done 2>/dev/null <"$1"
  [ "$condemned_at" ]
}
