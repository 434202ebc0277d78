"""`python -m fpcore.protocol`: the published protocol, timed."""

import sys

from fpcore.benchmark.protocol import main

if __name__ == "__main__":
    sys.exit(main())
