"""`python -m fpcore.benchmark`."""

import sys

from fpcore.benchmark.timing import main
from fpcore.errors import FpcoreError, printable

printable()
try:
    sys.exit(main(sys.argv[1:]))
except FpcoreError as error:
    sys.exit(str(error))
