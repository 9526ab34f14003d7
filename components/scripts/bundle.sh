# Stands in scripts that keep bundles, archives (tar.gz) of files and directories, each in a
# directory of its own, after fetch.sh.

# keep FILE DIRECTORY ENTRY: unpack it, nothing outside of it, and only all of it.
keep() {
  part=${2%/*}/.part
  remove "$part"
  mkdir "$part" && list=$(tar -tvzf "$1" 2>&1) || refuse "$(last "$list")" || return 1
  # Where tar changes a path it says so. GNU's and busybox's list hard links differently.
  if odd=$(printf '%s\n' "$list" | grep -E -m 1 '^tar: .emoving |^[^-dt]| -> '); then
    refuse "it has more than files and directories of its own: $odd" || return 1
  fi
  list=$(tar -xzf "$1" -C "$part" 2>&1) || refuse "$(last "$list")" || return 1
  [ -f "$part/$3" ] || refuse "it has no $3" || return 1
  mv "$part" "$2" || refuse "$2 can't be written"
}

last() {
  printf '%s\n' "$1" | tail -n 1
}

# switch LINK TARGET: whoever follows the link finds the old target or the new one.
switch() {
  if ! { ln -sfn "$2" "$1.new" && mv -T "$1.new" "$1"; }; then
    refuse "$1 can't be written"
  fi
}

# remove DIRECTORY: even one that came read-only.
remove() {
  chmod -R u+w "$1" 2>/dev/null
  rm -rf "$1"
}

# remove_but PARENT NAME...: all directories in PARENT but those.
remove_but() {
  parent=$1 names=" $* "
  for old in "$parent"/*/; do
    old=${old%/}
    case $names in
      *" ${old##*/} "*) ;;
      *) [ -L "$old" ] || remove "$old" ;;
    esac
  done
}
