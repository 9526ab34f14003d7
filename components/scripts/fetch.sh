# Stands in scripts that fetch files from a source that they don't trust, after common.sh.

# refuse REASON
refuse() {
  fault=refused reason=$1
  return 1
}

# failure NAME KEPT: why the last of the other functions failed with what is called so.
failure() {
  printf "%s\n" "$fault $1${2:+, $2 stays}: $reason"
}

# get URL FILE BYTES: no more than that. curl before 8.4 sees to it only where the source says
# beforehand how much it sends; the limit in blocks holds always, and has curl say so.
get() {
  ulimit -f $(($3 / 512 + 1))
  trap '' XFSZ
  exec curl --silent --show-error --fail --globoff --location --max-redirs 5 \
    --proto =http,https --connect-timeout 5 --speed-limit 1024 --speed-time 10 \
    --max-time 300 --max-filesize "$3" --output "$2" --url "$1"
}

# fetch URL FILE BYTES
fetch() {
  rm -f "$2"
  attend get "$@" 2>"$2.err" && return
  fault='cannot fetch' reason=$(tail -n 1 "$2.err")
  return 1
}

# verify FILE SHA256 [BYTES]: nothing reads what is in it before it is the right one.
verify() {
  found=$(sha256sum <"$1" | cut -c 1-64)
  [ "$found" != "$2" ] || return 0
  bytes=$(($(wc -c <"$1"))) cut=''
  [ "$bytes" -ge "${3:-0}" ] || cut="truncated, $bytes of $3 bytes: "
  refuse "${cut}sha256 is $found, wanted $2"
}
