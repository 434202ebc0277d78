"""`python -m fpcore.benchmark`."""

import sys

from fpcore.benchmark.timing import main

sys.exit(main(sys.argv[1:]))
