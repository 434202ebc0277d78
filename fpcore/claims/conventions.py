"""Conventions: from which numbers of a table a column of differences is computed, and how."""

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
from fpcore.claims.grid import Grid
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
        a = grid.number(at, self.p if self.base is None else self.q, k)
        b = grid.number(i, self.q, k)
        return (a, b) if a and b and not a.ranged and not b.ranged else None

    def line(self, grid: Grid, i: int) -> tuple[int, int]:
        """Return the lines of the two operands."""
        at = i if self.base is None else (i - 1 if self.base == -1 else self.base)
        p = self.p if self.base is None else self.q
        return grid.rows[at][p].line, grid.rows[i][self.q].line


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
        allowed = [k for k in kinds_for(item.d, a, b, ratio) if k in self.kinds]
        if not allowed:
            return None if not kinds_for(item.d, a, b, ratio) else False
        sign = better(item.metric) if self.sign == 2 else self.sign
        sign = 1 if set(allowed) <= {RATIO, INVERSE} else sign
        return any(fits(item.d, k, a, b, sign, exact) for k in allowed)


@dataclass(frozen=True)
class Score:
    """How many items of a sample a convention explains, and which it does not."""

    convention: Convention
    right: int
    wrong: tuple[Item, ...]
