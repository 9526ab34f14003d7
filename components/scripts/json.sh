# Stands in scripts that write JSON: functions in awk, to stand before what uses them.

# quoted(TEXT): TEXT as a string of JSON. What isn't UTF-8 becomes U+FFFD, a byte at a time.
json='
function quoted(text,   code) {
  if (text ~ /[^\t -~]/) text = valid(text)
  gsub(/["\\]/, "\\\\&", text)
  gsub(/\t/, "\\t", text)
  if (text ~ /[\001-\037\177]/) {
    for (code = 1; code < 32; code++) gsub(sprintf("%c", code), sprintf("\\u%04x", code), text)
    gsub(/\177/, "\\u007f", text)
  }
  return "\"" text "\""
}

# Which bytes may follow each other: https://www.rfc-editor.org/rfc/rfc3629#section-4
function valid(text,   out, part, right, from) {
  # By parts, since each step copies what is left.
  for (from = 1; ; from += 500) {
    part = part substr(text, from, 500)
    right = ""
    while (length(part) > (from + 500 > length(text) ? 0 : 3)) {
      if (match(part, /^([\001-\177]|[\302-\337][\200-\277]|(\340[\240-\277]|[\341-\354\356\357][\200-\277]|\355[\200-\237])[\200-\277]|(\360[\220-\277]|[\361-\363][\200-\277]|\364[\200-\217])[\200-\277][\200-\277])+/)) {
        right = right substr(part, 1, RLENGTH)
        part = substr(part, RLENGTH + 1)
      } else {
        right = right "\357\277\275"
        part = substr(part, 2)
      }
    }
    out = out right
    if (from + 500 > length(text)) return out
  }
}
'
