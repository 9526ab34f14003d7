# serve-bundles DIRECTORY PORT: serve DIRECTORY with busybox at PORT.
directory=$1 port=$2

# Beside this shell: as a container's first process it would ignore TERM.
attend httpd -f -p "$port" -h "$directory"
