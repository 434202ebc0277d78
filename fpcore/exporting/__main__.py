"""`python -m fpcore.exporting --to csv|parquet|mlflow|tensorboard DIR [NAMES]`."""

import sys

from fpcore.errors import run
from fpcore.exporting.command import main

if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
