# Stands in keep-token.sh, after common.sh: the accepted tokens, in a FILE.
#
# A line each, the newest first: when it ends, in seconds since the machine's start, which no change
# of the clock moves; for people the time since when it is accepted, or until when; the token. The
# newest has no end, and neither has a former one before the newest is accepted.
endless=9999999999

# wrong TOKEN: what is wrong with it, nothing if it is one. What RFC 6750 calls a token can do no
# harm in a configuration.
wrong() {
  case $1 in
    '') echo 'is missing or empty' ;;
    =* | *=[!=]* | *[!A-Za-z0-9._~+/=-]*) echo 'has characters that no bearer token has' ;;
    *) [ ${#1} -ge 16 ] || echo 'has fewer than 16 characters' ;;
  esac
}

# current FILE NOW TOKEN: the lines as they are from now on: without what has ended, TOKEN first
# unless it is empty, three former ones at most.
current() {
  {
    [ -z "$3" ] || echo "$endless - $3"
    while read -r end time known; do
      [ "$end" -le "${2%.*}" ] || [ "$known" = "$3" ] || echo "$end $time $known"
    done <"$1"
  } | head -n 4
}

# settled FILE OVERLAP: the lines once the newest is accepted: the others end OVERLAP seconds later.
settled() {
  read -r now _ </proc/uptime
  second=$(date +%s) newest=yes
  while read -r end time known; do
    case $newest$end$time in
      yes*-) time=$(clock "$second") ;;
      yes*) ;;
      "$endless"*) end=$((${now%.*} + $2)) time=$(clock $((second + $2))) ;;
    esac
    newest=''
    echo "$end $time $known"
  done <"$1"
}

# clock SECOND: that second since 1970, for people.
clock() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}

# told FILE: what is accepted, for people.
told() {
  text='no token is accepted yet'
  while read -r end time _; do
    case $end$time in
      "$endless"-) ;;
      "$endless"*) text="accepting the token of $time" ;;
      *) text="$text; a former one until $time" ;;
    esac
  done <"$1"
  echo "$text"
}

# next_end FILE: when the next token ends, nothing if none does.
next_end() {
  last=''
  while read -r end _; do
    [ "$end" = "$endless" ] || last=$end
  done <"$1"
  echo "$last"
}
