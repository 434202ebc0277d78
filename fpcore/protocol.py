"""`python -m fpcore.protocol`: the published protocol, timed."""

import sys
from argparse import ArgumentParser

from fpcore.errors import FpcoreError, printable

if __name__ == "__main__":
    printable()
    ArgumentParser(
        prog="python -m fpcore.protocol",
        description="Time phase 1 and phase 2 at the published run's sizes (work for a GPU), and "
        "write reports/benchmark-gpu.md.",
    ).parse_args()
    from fpcore.benchmark.protocol import main  # it loads torch

    try:
        sys.exit(main())
    except FpcoreError as error:
        sys.exit(str(error))
