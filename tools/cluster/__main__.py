"""`python -m tools.cluster up|down|status`, for work on the cluster itself."""

import sys

from tools.cluster import ClusterError, down, status, up

try:
    match sys.argv[1:]:
        case ["up"]:
            up(print)
        case ["down"]:
            down(print)
        case ["status"]:
            for part, state, detail in status():
                print(f"{part:24} {state:10} {detail}")
        case _:
            sys.exit("usage: python -m tools.cluster up|down|status")
except ClusterError as error:
    sys.exit(str(error))
