"""Starts the plugin: `python -m tools.provider ENGINE_ADDRESS`, as the engine does."""

import sys

from tools.provider.serve import main

if __name__ == "__main__":
    main(sys.argv[1:])
