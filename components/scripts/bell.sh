# Stands in scripts that wait for a file to grow, after common.sh. One process, tail, looks every
# so often; what it prints is a bell and nothing more, so that it may ring too often.

# rest FILE END BELL SECONDS: wait until FILE is longer than END, or another one, which tail looks
# at every SECONDS; BELL is a pipe. Returns at once if `ending` is set, also meanwhile.
rest() {
  if [ -z "$tail" ] || ! kill -0 "$tail" 2>/dev/null; then
    # Open for both as long as neither end can wait for the other.
    exec 4<>"$3"
    exec 3<"$3"
    tail -F -s "$4" -c "+$(($2 + 1))" "$1" >"$3" 3<&- 4<&- 2>/dev/null &
    tail=$!
    exec 4<&-
  fi
  # It ends too when tail does: then there is no other end.
  dd bs=65536 count=1 of=/dev/null <&3 2>/dev/null &
  child=$!
  [ -n "$ending" ] || wait "$child"
  kill -PIPE "$child" 2>/dev/null
  child=
}
tail=

# deafen: listen to no file.
deafen() {
  [ -z "$tail" ] || kill -PIPE "$tail" 2>/dev/null
  tail=
}
