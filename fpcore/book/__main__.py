"""`python -m fpcore.book build`."""

from fpcore.book.making import main

main()
