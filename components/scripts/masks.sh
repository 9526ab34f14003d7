# Stands in scripts that mask secrets: functions in awk, to stand before what uses them.

# masks NAMES: have masked(TEXT) put *** in place of each value that follows one of the names, in
# any case: NAME=value, NAME: value, "NAME": "value", --NAME value. Also what follows Bearer, and
# user and password in a URL. NAMES is a regular expression, in lower case.
# A value without quotes ends at white space, so rather too much is masked than too little.
masks() {
  masking='
function masked(text,   low, out, size) {
  low = tolower(text)
  while (match(low, /('"$1"')\\*["\047]?[ \t]*[=:][ \t]*|--[a-z0-9_-]*('"$1"')[ \t]+|bearer[ \t]+/)) {
    size = RSTART + RLENGTH - 1
    out = out substr(text, 1, size)
    text = substr(text, size + 1)
    low = substr(low, size + 1)
    size = extent(low)
    out = out substr(text, 1, quoting) "***"
    text = substr(text, quoting + size + 1)
    low = substr(low, quoting + size + 1)
  }
  out = out text
  if (index(out, "://")) gsub(/:\/\/[^\/@ \t"\047]*:[^@ \t"\047]*@/, "://***@", out)
  return out
}

# The length of the value that TEXT begins with, after so many that stay as quoting says.
function extent(text,   quote, from, at) {
  quoting = 0
  if (match(text, /^[a-z]?[a-z]?\\*["\047]/)) {
    quoting = RLENGTH
    quote = substr(text, 1, RLENGTH)
    sub(/^[a-z]+/, "", quote)
    from = quoting + 1
    while (at = index(substr(text, from), quote)) {
      from += at
      # One that is escaped is part of the value.
      if (substr(text, from - 2, 1) != "\\" || from - 2 <= quoting) return from - 2 - quoting
    }
    return length(text) - quoting
  }
  match(text, /^(digest[ \t].*|((bearer|basic|negotiate|token|apikey)[ \t]+)?[^ \t]*)/)
  return RLENGTH
}

# How much of a line that is too long for one record comes first: a name and its value stay together.
function piece(text,   low) {
  low = tolower(text)
  if (match(low, /.*('"$1"'|bearer)/))
    match(substr(low, 1, RLENGTH), /[^ \t]*('"$1"'|bearer)$/)
  else
    match(low, /[^ \t]*$/)
  return RSTART > 1 ? RSTART - 1 : length(text)
}
'
}
