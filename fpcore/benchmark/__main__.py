"""`python -m fpcore.benchmark`."""

import sys

from fpcore.benchmark.timing import main
from fpcore.errors import printable

printable()
sys.exit(main(sys.argv[1:]))
