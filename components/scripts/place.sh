# Stands in scripts that keep their place in a file over restarts, after common.sh.
# The place is: generation, position, the end of what was seen, who said so.

# remember PLACE: keep the place, in one step, with no process between that may be killed.
remember() {
  echo "$generation $position $seen $mark" >"$1.new" && mv -f "$1.new" "$1"
}

# recall PLACE: the place as it was told last. Others append to PLACE, a line a step; one that is
# cut short has no mark.
recall() {
  told=''
  until [ -n "$told" ]; do
    read -r generation position seen told <<LAST
$(sed -n -e '/^[0-9]* [0-9]* [0-9]* ./h' -e '${' -e x -e p -e '}' "$1")
LAST
    [ -n "$told" ] || pause 1
  done
}

# held FILE: whether a process has FILE open for writing, or who looks has been killed.
held() {
  open=$(ls -l /proc/[0-9]*/fd 2>/dev/null)
  [ $? -gt 128 ] || [ "$(
    awk -v file="$1" '/^l.w/ && $NF == file { found = 1 } END { if (!found) print "free" }' <<OPEN
$open
OPEN
  )" != free ]
}
