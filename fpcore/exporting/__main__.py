"""`python -m fpcore.exporting --to csv|parquet|mlflow|tensorboard DIR [NAMES]`."""

import sys

from fpcore.exporting.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
