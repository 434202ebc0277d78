"""Sums over the rows of a matrix that leave the rows where they are.

For such a sum PyTorch gives every thread some of the columns, but for all else some of the rows. So
half of a matrix goes to the cache of another core, and has to come back before it can be written
again, which may take ten times as long as to write what is at hand.
"""

import torch
from torch import Tensor

from fpcore.model.tuning import tuning

GROUP = 16  # PyTorch adds up so many rows, then so many of these sums, and so on
MOST = GROUP**4  # rows, beyond which its groups are larger
TOGETHER = 128  # bytes of columns that it adds up in this order
LEFT = 32  # bytes of columns left over, for fewer of which their order depends on the threads
WIDE, WORTH = 512, 2**17  # columns and elements from which on groups are cheaper


def column_sums(rows: Tensor) -> Tensor:
    """Return `rows.sum(0)` [D] of a matrix [R, D], with the same bits.

    Where the device profits, threads add up groups of rows, so each of them has its own rows.
    """
    (number, width), size = rows.shape, rows.element_size()
    left = width % (TOGETHER // size)
    worth = width >= WIDE and rows.numel() >= WORTH and tuning(rows.device).by_rows
    if not worth or number > MOST or 0 < left * size < LEFT:
        return rows.sum(0)
    found = _in_groups(rows)
    if left:
        torch.sum(rows[:, -left:], 0, out=found[-left:])
    return found


def _in_groups(rows: Tensor) -> Tensor:
    """Add up the rows that make no whole group, and then the sums of groups in the same way."""
    parts = []
    while len(rows) > GROUP:
        whole = len(rows) // GROUP * GROUP
        if whole < len(rows):
            parts.append(rows[whole:].sum(0))
        rows = rows[:whole] if whole == GROUP else rows[:whole].unflatten(0, (-1, GROUP)).sum(1)
    parts.append(rows.sum(0))
    found = parts[0]
    for part in parts[1:]:
        found += part
    return found
