# process-log LOG STATE MAX_SIZE INTERVAL NAMES: print what an app appends to LOG as JSON, secrets
# after one of NAMES masked, from the place on that is kept in the directory STATE. From MAX_SIZE
# bytes on, have TARGET open LOG anew, and remove what has been printed whole. Looks every INTERVAL
# seconds. Told to end, it goes on until TARGET is gone and all is printed.
log=$1 state=$2 max_size=$3 interval=$4
names=$5
place=$state/position bell=$state/bell printing=$state/printing
ending='' gone='' mark=0 waits=0

masks "$names"
# A shell reports a child that TERM ends, and none that PIPE does.
trap 'ending=yes; [ -z "$child" ] || kill -PIPE "$child" 2>/dev/null' TERM INT QUIT

# say LEVEL TEXT: what the log has of this script itself is JSON too.
say() {
  printf '{"time":"%s","level":"%s","sidecar":"log-processor","message":"%s"}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" >&2
}

# settle: keep the place, however long that takes: what can't be kept would be printed again.
settle() {
  until remember "$place"; do
    say ERROR "cannot write to $state"
    pause "$interval"
  done
  kept=$position
}

# follow FILE [LAST]: print what FILE has, or what it has until it is due to be rotated.
follow() {
  outcome=1
  while [ "$outcome" -ne 0 ] && ! due "$1"; do
    mark=$((mark + 1))
    records "$1" "$generation" "$position" "$place" "$mark" "${2-}" 5>"$printing"
    outcome=$?
    recall "$place"
    if [ "$told" != "$mark" ]; then
      say WARN "reading was cut short: goes on at $generation:$position"
      settle
      pause "$interval"
    elif [ $((position - kept)) -ge 65536 ]; then
      settle
    fi
    if [ "$outcome" -eq 3 ]; then
      say ERROR "$1 became shorter: what was not printed by then is lost"
      begin
    fi
  done
}

# due FILE: whether it is the app's, which is there to open another, and large enough for that.
due() {
  [ -z "$gone" ] && [ "$1" = "$log" ] && [ "$position" -ge "$max_size" ]
}

# begin: the place is the beginning of the next file.
begin() {
  generation=$((generation + 1)) position=0 seen=0
  settle
  deafen
}

# retire FILE: print what FILE has, which has been renamed; remove it once nobody writes to it.
retire() {
  if [ ! -e "$log" ] && [ -n "$(targets)" ]; then
    # It may have just started.
    pid=$(target) && catches "$pid" USR1 && kill -USR1 "$pid" 2>/dev/null
    follow "$1"
    delay "$TARGET does not open $log anew on USR1: it grows on as $1"
  elif held "$1"; then
    follow "$1"
    delay "$1 is still open for writing: what comes after it waits"
  else
    follow "$1" last
    begin
    until rm -f "$1"; do
      pause "$interval"
    done
    waits=0
  fi
}

# delay REASON: wait for what should be a matter of moments, and say so if it isn't.
delay() {
  waits=$((waits + 1))
  [ "$waits" -ne 10 ] || say WARN "$1"
  if [ "$waits" -lt 10 ]; then pause 0.2; else pause "$interval"; fi
}

# Who prints may outlive this script by a moment if it is killed.
while held "$printing"; do
  pause 0.1
done
generation=1 position=0 seen=0
[ ! -e "$place" ] || recall "$place"
settle
for file in "$log".[0-9]*; do
  [ "$file" = "$log.$generation" ] || rm -f "$file"
done
[ -e "$bell" ] || mkfifo "$bell"
say INFO "begins at $generation:$position"

while :; do
  # Before looking at the files: who is gone then, writes no more.
  gone=''
  [ -z "$ending" ] || [ -n "$(targets)" ] || gone=yes
  if [ -e "$log.$generation" ]; then
    retire "$log.$generation"
  elif [ ! -e "$log" ]; then
    [ -z "$gone" ] || break
    [ "$position" -eq 0 ] || begin
    pause "$interval"
  else
    follow "$log" "$gone"
    [ -z "$gone" ] || break
    if due "$log"; then
      mv "$log" "$log.$generation"
    elif [ -n "$ending" ]; then
      pause 0.2
    else
      rest "$log" "$seen" "$bell" "$interval"
    fi
  fi
done
deafen
say INFO "ends at $generation:$position"
