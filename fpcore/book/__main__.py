"""`python -m fpcore.book build`."""

import os

from fpcore.book.making import main
from fpcore.errors import run

os.environ["MPLBACKEND"] = "agg"  # nothing is shown, whatever the environment asks for
run(main)
