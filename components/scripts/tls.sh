# Stands in scripts that hand nginx its certificate, after common.sh and nginx.sh.

# tls_config PORT PEM: a whole configuration of nginx with certificate and key in one file.
tls_config() {
  nginx_config /tmp/nginx.pid "
  server {
    $(listen "$1" ssl)
    ssl_certificate $2;
    ssl_certificate_key $2;
    location / { return 200 \"Hello\\n\"; }
  }"
}

# served_serial PORT: the number of the certificate that nginx serves, nothing if it doesn't run.
served_serial() {
  timeout 5 openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null |
    openssl x509 -noout -serial 2>/dev/null | cut -d = -f 2
}
