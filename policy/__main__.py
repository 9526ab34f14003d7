"""Where the engine starts the policy pack."""

import sys
from pathlib import Path

# The interpreter was given this folder, and knows no other.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.pack import serve

serve()
