"""`python -m fpcore.benchmark`."""

import sys

from fpcore.benchmark.timing import main
from fpcore.errors import run

if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
