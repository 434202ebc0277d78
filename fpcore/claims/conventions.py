"""Conventions: from which numbers of a table a column of differences is computed, and how."""

import re
from dataclasses import dataclass

from fpcore.claims.arithmetic import (
    BASE_B,
    DIFFERENCE,
    INVERSE,
    RATIO,
    RELATIVE,
    SHARES,
    Kind,
    fits,
    kinds_for,
)
from fpcore.claims.grid import Cell, Grid
from fpcore.claims.quantities import Number
from fpcore.claims.terms import better

GROUPS = ((DIFFERENCE, SHARES, RELATIVE), (BASE_B,), (RATIO,), (INVERSE,))


@dataclass(frozen=True)
class Item:
    """A printed difference of row i, and what its row is about."""

    i: int
    d: Number
    metric: str


@dataclass(frozen=True)
class Scheme:
    """Where operands stand: columns p and q of a row, or column q of a base row and of the row.

    `base` is the number of the base row, -1 for the row above, None for two columns. `likely` says
    that the head names the base row, or that it alone has no difference.
    """

    p: int
    q: int
    base: int | None = None
    likely: bool = False

    def operands(self, grid: Grid, i: int, k: int = 0) -> tuple[Number, Number] | None:
        """Return the two numbers for a row, the k-th of their cells; None where one is missing."""
        at = i if self.base is None else i - 1 if self.base == -1 else self.base
        if at < 0 or (self.base is not None and at == i):
            return None
        if self.arrow:
            return _arrow_ends(grid.rows[i][self.q])
        a = grid.number(at, self.p if self.base is None else self.q, k)
        b = grid.number(i, self.q, k)
        return (a, b) if a and b and not a.ranged and not b.ranged else None

    @property
    def arrow(self) -> bool:
        """Say whether both operands stand in one cell: 「44.0 → 39.6」."""
        return self.base is None and self.p == self.q

    def line(self, grid: Grid, i: int) -> tuple[int, int]:
        """Return the lines of the two operands."""
        at = i if self.base is None else (i - 1 if self.base == -1 else self.base)
        p = self.p if self.base is None else self.q
        return grid.rows[at][p].line, grid.rows[i][self.q].line


def _arrow_ends(cell: Cell) -> tuple[Number, Number] | None:
    """Return the two numbers of a cell that an arrow joins."""
    if len(cell.numbers) != 2 or any(n.ranged or n.about for n in cell.numbers):
        return None
    a, b = cell.numbers
    joined = re.fullmatch(r"\s*(?:→|⇒|->|=>)\s*", cell.text[a.end : b.start])
    return (a, b) if joined and a.unit == b.unit else None


def is_arrow(cell: Cell) -> bool:
    """Say whether a cell leads from one number to another."""
    return _arrow_ends(cell) is not None


@dataclass(frozen=True)
class Convention:
    """How a column is computed: operands, kinds, and sign (+1, -1, 0 amount, 2 better is plus)."""

    scheme: Scheme
    kinds: tuple[Kind, ...]
    sign: int

    def fit(self, grid: Grid, item: Item, ratio: bool, exact: bool) -> bool | None:
        """Say whether an item follows from its operands; None where it has none."""
        first = self.scheme.operands(grid, item.i)
        if first is None:
            return None
        second = self.scheme.operands(grid, item.i, 1)
        found = [self._fit(a, b, item, ratio, exact) for a, b in filter(None, (first, second))]
        return True if True in found else False if False in found else None

    def _fit(self, a: Number, b: Number, item: Item, ratio: bool, exact: bool) -> bool | None:
        known = kinds_for(item.d, a, b, ratio)
        allowed = [k for k in known if k in self.kinds]
        if item.d.unit == "x" and not allowed:
            allowed = known if self.scheme.arrow else []
            if not allowed:
                return None  # a ratio in a column of differences has operands of its own
        if not allowed:
            return False if known else None
        sign = better(item.metric) if self.sign == 2 else self.sign
        sign = 1 if set(allowed) <= {RATIO, INVERSE} else sign
        return any(fits(item.d, k, a, b, sign, exact) for k in allowed)


@dataclass(frozen=True)
class Score:
    """How many items of a sample a convention explains, and which it does not."""

    convention: Convention
    right: int
    wrong: tuple[Item, ...]
