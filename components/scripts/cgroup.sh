# Stands in scripts that look at the CPU of another container's main process, TARGET, after
# target.sh. Who shares its process namespace and its user sees its files, and among them the
# kernel's own account of its container. No look starts a process.
# https://docs.kernel.org/admin-guide/cgroup-v2.html

# locate: put the process into app, unless it is there still; fails if there is none.
locate() {
  if ! started "$app" || [ "$since" != "$born" ]; then
    app=$(target) && started "$app" || return 1
    born=$since
  fi
}
app=none born=''

# started PID: put when it has started into since: its number may be another's one day.
started() {
  read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ since _ 2>/dev/null <"/proc/$1/stat"
}

# cpu DIRECTORY: put the CPU that has been used so far, in microseconds, into used, and what may
# be used, in millicores, into limit; fails if DIRECTORY of app has neither version's files.
cpu() {
  used='' quota=max period=1
  root=/proc/$app/root$1
  if [ -r "$root/cpu.max" ]; then
    read -r quota period <"$root/cpu.max"
    while read -r key value; do
      [ "$key" != usage_usec ] || used=$value
    done <"$root/cpu.stat"
  elif [ -r "$root/cpu/cpu.cfs_quota_us" ]; then
    read -r quota <"$root/cpu/cpu.cfs_quota_us"
    read -r period <"$root/cpu/cpu.cfs_period_us"
    read -r used <"$root/cpuacct/cpuacct.usage"
    used=$((used / 1000))
  fi 2>/dev/null
  case $quota in
    max | -1) limit=999999 ;;
    *) limit=$((quota * 1000 / period)) ;;
  esac
  [ -n "$used" ]
}
