# Stands in scripts that turn an app's lines into records, after json.sh and masks.sh.

# records FILE GENERATION POSITION PLACE MARK [LAST]: what FILE has from POSITION on as JSON, an
# object a line, and after each a line in PLACE that says how far it has come: GENERATION, position,
# the end of what was seen, MARK.
# A line without its end waits for it, unless LAST is said; one of more than about 60 KiB comes in
# pieces. Ends with 0 if FILE has no more, 1 if it may have, 3 if it is shorter than POSITION, and
# with anything else if a process in between was killed: PLACE is right then too, without a last MARK.
# Record and position are two system calls: who is killed between them doubles that record, with
# the same id, and loses none.
records() {
  # Begins at least a byte before POSITION, so that a FILE that became shorter is noticed.
  block=$((($3 - 1) / 4096))
  {
    # What follows shows that this is all, and whether the last line has its end.
    dd if="$1" bs=4096 skip="$block" count=16 2>/dev/null && echo "$5 is all"
  } | tr '\000' '\377' | LC_ALL=C TZ=UTC awk -v generation="$2" -v position="$3" -v place="$4" \
    -v mark="$5" -v last="${6-}" -v skip=$(($3 - block * 4096)) -v window=65536 "$json$masking"'
# One write a record, so that one of up to 4 KiB is never torn.
function record(text, size, partial,   time, level) {
  time = strftime("%Y-%m-%dT%H:%M:%SZ")
  if (match(text, /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?(Z|[-+][0-9][0-9]:[0-9][0-9])( |$)/)) {
    time = substr(text, 1, RLENGTH)
    sub(/ /, "", time)
    text = substr(text, RLENGTH + 1)
    if (match(text, /^(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL) /)) {
      level = ",\"level\":\"" substr(text, 1, RLENGTH - 1) "\""
      text = substr(text, RLENGTH + 1)
    }
  }
  print "{\"time\":\"" time "\",\"id\":\"" generation ":" position "\"" level partial ",\"message\":" quoted(masked(text)) "}"
  fflush()
  position += size
  print generation, position, position, mark >>place
  fflush(place)
}

# A line with its end, which may begin before the position.
function take(line,   size) {
  size = length(line) + 1
  seen += size
  if (skip < size) record(substr(line, skip + 1), size - skip)
  skip = skip < size ? 0 : skip - size
}

BEGIN { start = position }
NR > 1 { take(line) }
{ line = $0 }
END {
  all = mark " is all"
  rest = length(line) - length(all)
  if (rest < 0 || substr(line, rest + 1) != all) exit 4
  seen += rest
  shorter = skip > rest
  line = substr(line, skip + 1, rest - skip)
  if (line != "" && seen == window && position == start) {
    line = substr(line, 1, piece(line))
    record(line, length(line), ",\"partial\":true")
    line = ""
  } else if (line != "" && last && seen < window) {
    record(line, length(line))
    line = ""
  }
  print generation, position, position + length(line), mark >>place
  exit shorter ? 3 : seen == window
}'
}
