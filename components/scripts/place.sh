# Stands in scripts that keep their place in a file over restarts, after common.sh.
# The place is: generation, position, the end of what was seen, who said so.

# remember PLACE: keep the place, in one step.
remember() {
  echo "$generation $position $seen $mark" | publish "$1"
}

# recall PLACE: the place as it was told last. Others append to PLACE, a line a step; one that is
# cut short has no mark.
recall() {
  read -r generation position seen told <<LAST
$(sed -n -e '/^[0-9]* [0-9]* [0-9]* ./h' -e '${' -e x -e p -e '}' "$1")
LAST
}

# held FILE: whether a process has FILE open for writing.
held() {
  awk -v file="$1" '/^l.w/ && $NF == file { found = 1 } END { exit !found }' <<OPEN
$(ls -l /proc/[0-9]*/fd 2>/dev/null)
OPEN
}
