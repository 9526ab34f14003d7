# Stands in scripts that measure the CPU of another container, whose main process is TARGET, after
# target.sh. In a shared process namespace /proc says to every user what a process has used, while
# it shows the files of a process to that one's user alone. No look starts a process.

# locate: put the main process into app, unless it is there still; fails if there is none.
locate() {
  if ! account "/proc/$app" || [ "$since" != "$born" ]; then
    app=$(target) && account "/proc/$app" || return 1
    # Its number may be another's one day.
    born=$since
  fi
}
app=none born=''

# account DIRECTORY: of the process there, put the CPU that it and its children that have ended
# took into spent, in hundredths of a second, and when it has started into since.
# https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
account() {
  read -r stat 2>/dev/null <"$1/stat" || return 1
  # Its name, in parentheses, may be anything.
  read -r _ _ _ _ _ _ _ _ _ _ _ user system child_user child_system _ _ _ _ since _ <<EOT
${stat##*) }
EOT
  spent=$((user + system + child_user + child_system))
}

# used_of PROC: put what all processes of app's container have used into used: those that have
# its cgroup; PROC is /proc.
used_of() {
  read -r cgroup 2>/dev/null <"$1/$app/cgroup" || return 1
  used=0
  for process in "$1"/[0-9]*; do
    # It may end meanwhile.
    if read -r group && [ "$group" = "$cgroup" ] && account "$process"; then
      used=$((used + spent))
    fi 2>/dev/null <"$process/cgroup"
  done
}
