# Stands in scripts that count connections.

# in_flight PORT: how many connections to PORT are open, over IPv4 and IPv6: those of clients that
# wait for an answer or have not had all of it yet. Containers of a pod share its network, so one
# sees what another serves, whatever it serves with, and after it has stopped listening too.
# https://docs.kernel.org/networking/proc_net_tcp.html
in_flight() {
  # Established, FIN-WAIT-1, CLOSE-WAIT and LAST-ACK: in the others all is received.
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" '
    $4 ~ /^(01|04|08|09)$/ && substr($2, length($2) - 4) == port { count++ }
    END { print count + 0 }'
}
