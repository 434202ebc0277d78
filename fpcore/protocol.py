"""`python -m fpcore.protocol`: the published protocols, timed."""

import sys

from fpcore.benchmark.protocol import main
from fpcore.errors import printable

if __name__ == "__main__":
    printable()
    sys.exit(main())
