"""`python -m fpcore.models list | export NAME FOLDER | remove NAME`: the models that are kept."""

import sys

from fpcore.errors import run
from fpcore.runs.models_command import main

if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
