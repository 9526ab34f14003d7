# fetch-plugin OFFER PLUGINS ENTRY BYTES INTERVAL: keep the link PLUGINS/current on the bundle
# that the files in OFFER name: version, sha256, url and, if it is known, size. It is fetched,
# at most BYTES; one with another digest or without the file ENTRY goes no further. What can't be
# had is tried again after 1 s, 2 s, 4 s, up to INTERVAL, another offer at once. The bundle before
# stays for those that still read it. What happens is in the log and in PLUGINS/status.
directory=$1 plugins=$2 entry=$3 most=$4 interval=$5

offer() {
  offered "$directory" version sha256 url size
}

# take: make what is offered the current bundle.
take() {
  case $sha256 in *[!0-9a-f]*) false ;; *) [ ${#sha256} -eq 64 ] ;; esac ||
    refuse "'$sha256' is no sha256" || return 1
  if [ ! -e "$plugins/$sha256" ]; then
    fetch "$url" /tmp/bundle "${size:-$most}" && verify /tmp/bundle "$sha256" "$size" &&
      keep /tmp/bundle "$plugins/$sha256" "$entry" || return 1
  fi
  before=$(readlink "$plugins/current")
  [ "$before" = "$sha256" ] || switch "$plugins/current" "$sha256" || return 1
  remove_but "$plugins" "$sha256" "$before"
}

watch "$directory" "$interval"
tried='' using=$(readlink "$plugins/current")
while :; do
  now=$(offer)
  [ "$now" = "$tried" ] || retry=1
  tried=$now
  { read -r version && read -r sha256 && read -r url && read -r size; } <<END
$tried

END
  if take; then
    using=$version
    report "$plugins/status" "using $version, sha256 $sha256"
    other "$tried" 0 offer
  else
    [ "$retry" -lt "$interval" ] || retry=$interval
    report "$plugins/status" "$(failure "$version" "$using"); trying again in $retry s"
    other "$tried" "$retry" offer
    retry=$((retry * 2))
  fi
done
