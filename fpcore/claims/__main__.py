"""Run the checker on a file: `python -m fpcore.claims FILE`."""

import sys

from fpcore.claims.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
