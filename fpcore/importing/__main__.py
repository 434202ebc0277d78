"""`python -m fpcore.importing FILE --name NAME`."""

import sys

from fpcore.importing.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
