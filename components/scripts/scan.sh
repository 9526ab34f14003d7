# Stands in scripts that compare a directory with what may be in it, after common.sh.
# `|` separates fields: no name that gets that far has one. In lists, names begin with ./

# wanted DIRECTORY OWNER: its files as they are to be published, a line each:
# name, kind, mode, owner, links, size, digest.
wanted() {
  (
    cd "$1" || exit
    find . -type f -exec stat -c '%n|%s' {} +
    find . -type f -exec sha256sum {} +
  ) | awk -F '|' -v owner="$2" '
    NF == 2 { size[$1] = $2; next }
    {
      name = substr($0, 67)
      print name "|file|644|" owner "|1|" size[name] "|" substr($0, 1, 64)
    }' | sort
}

# names DIRECTORY: what is in it, at most 64 KiB of names, and whatever is no line as ?.
# /tmp/incomplete is there if that is not all.
names() {
  [ ! -e /tmp/incomplete ] || rm /tmp/incomplete
  (
    cd "$1" && timeout 5 find . ! -path . -print0 || : >/tmp/incomplete
  ) 2>/dev/null | head -c 65536 | tr '\0\n' '\n?'
}

# look_at DIRECTORY LISTS...: leave in /tmp what is there: `seen` has name, mode, owner, links,
# size and kind, `digests` are of files that have the size that is wanted: whoever writes there
# can't have others read for hours. `odd` are names that could pass for something else; they go
# no further.
look_at() {
  directory=$1
  shift
  names "$directory" >/tmp/names
  LC_ALL=C grep -vxE '[A-Za-z0-9._/-]+' /tmp/names | LC_ALL=C tr -c 'A-Za-z0-9._/\n-' '?' >/tmp/odd
  (
    cd "$directory" || exit
    # What is wanted is looked at whatever else there is.
    {
      cut -d '|' -f 1 "$@"
      LC_ALL=C grep -xE '[A-Za-z0-9._/-]+' /tmp/names
    } | sort -u | xargs timeout 5 stat -c '%n|%a|%u:%g|%h|%s|%F' >/tmp/seen
    awk -F '|' 'NF == 7 { wanted[$1, $6]; next } $6 ~ /^regular/ && ($1, $5) in wanted { print $1 }
      ' "$@" /tmp/seen | xargs -r timeout 5 sha256sum >/tmp/digests
  ) 2>/dev/null
}

# judge NOW [FORMER]: what of that is not allowed, a line each, 100 at most. NOW is what must be
# there. With FORMER, all versions before of which something may be left, a publication is under
# way: any of them is allowed, and so is the file ..new;
# /tmp/pending then says what is not yet as it is to be.
judge() {
  : >/tmp/pending
  {
    awk -F '|' -v publishing="${2:+1}" '
      function text(state, part) {
        split(state, part, "|")
        if (part[1] != "file") return part[1] " " part[2] " " part[3]
        return "file " part[2] " " part[3] (part[4] == 1 ? "" : " " part[4] " links") " " \
          part[5] " bytes" (part[6] == "" ? "" : " " substr(part[6], 1, 12))
      }
      function differs(one, other, a, b, list) {
        split(one, a, "|")
        split(other, b, "|")
        if (a[1] != b[1]) return "kind"
        list = (a[2] == b[2] ? "" : " mode") (a[3] == b[3] ? "" : " owner")
        list = list (a[4] == b[4] ? "" : " links")
        return substr(list (a[5] a[6] == b[5] b[6] ? "" : " content"), 2)
      }
      function pending(name) { print substr(name, 3) >"/tmp/pending" }
      FILENAME == "/tmp/digests" { digest[substr($0, 67)] = substr($0, 1, 64); next }
      FILENAME == "/tmp/seen" {
        kind = $6
        sub(/ .*/, "", kind)
        sub(/^regular$/, "file", kind)
        sub(/^symbolic$/, "link", kind)
        found = look = kind "|" $2 "|" $3
        sum = ""
        if (kind == "file") {
          sum = digest[$1]
          found = look "|" $4 "|" $5 "|" sum
          look = look "|" $4
        }
        seen[$1]
        if (($1, look, sum) in right) next
        if (publishing && ($1 in now || $1 in was || $1 == "./..new")) pending($1)
        if (($1, look, sum) in former || publishing && kind == "file" && $1 == "./..new") next
        # It was there when its size was read, and was replaced or removed before its digest was.
        if (publishing && sum == "" && ($1, look, $5) in sizes) next
        if ($1 in now)
          print "changed " substr($1, 3) ", " differs(found, now[$1]) ": found " text(found) \
            ", allowed " text(now[$1])
        else
          print "added " substr($1, 3) ": found " text(found) ", allowed nothing"
        next
      }
      FNR == NR { first = FILENAME }
      NF != 7 { versions += FILENAME != first; next }
      { state = $2 "|" $3 "|" $4 "|" $5 "|" $6 "|" $7 }
      { look = $2 "|" $3 "|" $4 "|" $5; sizes[$1, look, $6] }
      FILENAME == first { now[$1] = state; right[$1, look, $7]; next }
      { former[$1, look, $7]; was[$1]++ }
      END {
        for (name in now) {
          if (name in seen) continue
          # What all of them have is never away: a rename puts a new file where the old one is.
          if (publishing && was[name] < versions) pending(name)
          else print "removed " substr(name, 3) ": found nothing, allowed " text(now[name])
        }
      }' "$@" /tmp/digests /tmp/seen
    [ ! -s /tmp/odd ] || sed 's,^\./\(.*\),odd name \1: found other characters than A-Z a-z 0-9 . _ -\, allowed nothing,' /tmp/odd
    # What is renamed away while it is listed is missing too.
    [ "$#" -gt 1 ] || [ ! -e /tmp/incomplete ] ||
      echo "not all seen: found what can't be listed or 64 KiB of names, allowed is neither"
  } | sort -u | awk 'NR <= 100; NR == 101 { print "more than these 100" }'
}
