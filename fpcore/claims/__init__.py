"""Check a Markdown report against itself: `check_report`, or `python -m fpcore.claims FILE`."""
