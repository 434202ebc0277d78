"""What the head of a column of differences says of its operands: base rows and formulas."""

import re

from fpcore.claims.quantities import Number

FORMULA = re.compile(r"(?:^|\()\s*([^\s()/-]+)\s*[-/]\s*([^\s()/-]+)\s*(?:\)|$)")
ABOVE = re.compile(r"前(?:段|行|の|epoch|\s|比)|直前|\bprev", re.IGNORECASE)


def named_in(row: str, title: str) -> bool:
    """Say whether a head like 「松比」 names a row like 「松 (再実行)」."""
    bare = re.sub(r"\(.*?\)", "", row).strip()
    whole = re.search(rf"(?<![A-Za-z0-9.]){re.escape(bare)}(?![A-Za-z0-9.])", title)
    return (len(bare) > 1 and bool(whole)) or ("基準" in row and "基準" in title)


def is_base(numbers: tuple[Number, ...]) -> bool:
    """Say whether a cell holds the difference of the base from itself: 0, 1.00, 1x."""
    ones = (n.value == 0 or (n.value == 1 and (n.unit == "x" or n.digits > 1)) for n in numbers)
    return all(ones)
