# alternate-load SECONDS: use all the CPU there is for SECONDS, next to none for SECONDS, and so on.
seconds=$1

while :; do
  echo "Busy for $seconds s"
  attend timeout "$seconds" dd if=/dev/zero of=/dev/null bs=1M 2>/dev/null
  echo "Quiet for $seconds s"
  pause "$seconds"
done
