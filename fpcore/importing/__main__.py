"""`python -m fpcore.importing FILE --name NAME`."""

import sys

from fpcore.errors import run
from fpcore.importing.command import main

if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
