# Stands in scripts that issue certificates, after common.sh. Needs openssl, and a /tmp of its own.

# issuer_config NAMES: how certificates for these host names, separated by commas, are issued.
# The names stand where clients look for them and nowhere else, so they may be long.
issuer_config() {
  printf '%s\n' "
[ca]
default_ca = issuer
[issuer]
database = /tmp/issued/index
new_certs_dir = /tmp/issued
rand_serial = yes
default_md = default
policy = subject
x509_extensions = serving
[subject]
commonName = optional
[req]
distinguished_name = subject
[serving]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = critical,DNS:$(printf '%s' "$1" | sed 's/,/,DNS:/g')"
}

# moment SECONDS: that time as certificates write it.
moment() {
  date -u -d "@$1" +%Y%m%d%H%M%SZ
}

# sign CA START END: sign the request on standard input, and see whether who trusts the CA would
# accept the certificate. Says what openssl has against it. (`openssl x509` counts in days
# before 3.4.)
sign() {
  if ! said_by_openssl=$(openssl ca -batch -notext -config /tmp/issued/config \
    -in /dev/stdin -out /tmp/issued/signed -cert "$1/tls.crt" -keyfile "$1/tls.key" -passin pass: \
    -startdate "$(moment "$2")" -enddate "$(moment "$3")" 2>&1); then
    printf '%s\n' "$said_by_openssl" | grep -v -e ':error:' -e '^Using' | head -n 1
    return 1
  elif ! said_by_openssl=$(openssl verify -partial_chain -purpose sslserver \
    -CAfile "$1/tls.crt" /tmp/issued/signed 2>&1); then
    printf '%s\n' "$said_by_openssl" | sed -n 's/.*depth lookup: *//p' | head -n 1
    return 1
  fi
}

# issue CA NAMES START END: make a key, and have the CA in that directory sign a certificate for
# it, valid within these seconds since 1970 and never beyond the CA. Sets `pem` to both, `serial`
# and `end`; or says why not in `reason`.
issue() {
  rm -rf /tmp/issued
  mkdir /tmp/issued
  : >/tmp/issued/index
  issuer_config "$2" >/tmp/issued/config
  reason='no certificate in tls.crt'
  dates=$(openssl x509 -in "$1/tls.crt" -noout -startdate -enddate -dateopt iso_8601 2>/dev/null) ||
    return 1
  dates=$(printf '%s\n' "$dates" | sed 's/.*=//; s/Z$//')
  start=$(date -u -d "${dates%
*}" +%s) end=$(date -u -d "${dates#*
}" +%s)
  [ "$start" -gt "$3" ] || start=$3
  [ "$end" -lt "$4" ] || end=$4
  # The key goes from program to program, and into no file.
  pem=$(openssl req -new -config /tmp/issued/config -subj / -newkey ec \
    -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - 2>/dev/null)
  reason=$(printf '%s\n' "$pem" | sign "$1" "$start" "$end") || return 1
  for file in /tmp/issued/*.pem; do
    serial=${file##*/} serial=${serial%.pem}
  done
  pem="$(cat /tmp/issued/signed)
${pem%-----BEGIN CERTIFICATE REQUEST*}"
}
