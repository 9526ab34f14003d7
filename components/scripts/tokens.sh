# Stands in keep-token.sh, after common.sh: the accepted tokens, in the file `tokens`.
#
# A line each, the newest first: when it ends, in seconds since the machine's start, which no change
# of the clock moves; for people the time since when it is accepted, or until when; the token. The
# newest has no end, and neither has a former one before the newest is accepted.
endless=9999999999

# read_token FILE: the token there, in `token`; what is wrong with it, in `reason`. What RFC 6750
# calls a token can do no harm in a configuration.
read_token() {
  reason=''
  token=$(cat "$1" 2>/dev/null)
  case $token in
    '') reason='is missing or empty' ;;
    =* | *=[!=]* | *[!A-Za-z0-9._~+/=-]*) reason='has characters that no bearer token has' ;;
    *) [ ${#token} -ge 16 ] || reason='has fewer than 16 characters' ;;
  esac
}

# current NOW TOKEN: the lines as they are from now on: without what has ended, TOKEN first unless it
# is empty, three former ones at most.
current() {
  {
    [ -z "$2" ] || echo "$endless - $2"
    while read -r end time known; do
      [ "$end" -le "${1%.*}" ] || [ "$known" = "$2" ] || echo "$end $time $known"
    done <"$tokens"
  } | head -n 4
}

# settled OVERLAP: the lines once the newest is accepted: the others end OVERLAP seconds later.
settled() {
  read -r now _ </proc/uptime
  second=$(date +%s) newest=yes
  while read -r end time known; do
    case $newest$end$time in
      yes*-) time=$(clock "$second") ;;
      yes*) ;;
      "$endless"*) end=$((${now%.*} + $1)) time=$(clock $((second + $1))) ;;
    esac
    newest=''
    echo "$end $time $known"
  done <"$tokens"
}

# told: what is accepted, for people, in `text`; when the next one ends, in `next`.
told() {
  text='no token is accepted yet' next=''
  while read -r end time _; do
    case $end$time in
      "$endless"-) ;;
      "$endless"*) text="accepting the token of $time" ;;
      *) text="$text; a former one until $time" next=$end ;;
    esac
  done <"$tokens"
}

# clock SECOND: that second since 1970, for people.
clock() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}
