"""Differences from a base that the table does not show: 「全体平均との差」, 「目標との差」.

Where a value less its difference gives one number in at least three rows, that number is the base;
the one row that gives another one is a slip.
"""

from dataclasses import dataclass
from statistics import median

from fpcore.claims.conventions import Item
from fpcore.claims.grid import Grid
from fpcore.claims.quantities import Number

_FEWEST = 3
_Row = tuple[Item, Number]


@dataclass(frozen=True)
class HiddenBase:
    """The base, whether differences are relative to it, how many rows give it, and the slip."""

    value: float
    relative: bool
    right: int
    item: Item
    operand: Number

    @property
    def due(self) -> float:
        """Return the difference of the slip's row from the base."""
        gap = self.operand.value - self.value
        return 100 * gap / self.value if self.relative else gap


def hidden_base(grid: Grid, columns: list[int], items: list[Item]) -> HiddenBase | None:
    """Return the base that all rows but one give to a column of differences."""
    for q in reversed(columns):
        rows = [(x, v) for x in items if (v := grid.number(x.i, q)) and x.d.signed]
        for relative in (False, True):
            known = [r for r in rows if _apt(*r, relative)]
            found = _odd(known, relative) if len(known) > _FEWEST else None
            if found:
                return found
    return None


def _apt(item: Item, v: Number, relative: bool) -> bool:
    return item.d.unit == "%" and not v.unit if relative else item.d.unit in ("", v.unit)


def _odd(rows: list[_Row], relative: bool) -> HiddenBase | None:
    bases = [_base(*r, relative) for r in rows]
    middle = median(b for b, _ in bases)
    off = [abs(b - middle) > w for b, w in bases]
    apart = max(v.value for _, v in rows) - min(v.value for _, v in rows)
    if sum(off) != 1 or len(rows) - 1 < _FEWEST or apart < 20 * max(w for _, w in bases):
        return None
    item, v = rows[off.index(True)]
    return HiddenBase(middle, relative, len(rows) - 1, item, v)


def _base(item: Item, v: Number, relative: bool) -> tuple[float, float]:
    """Return the base that a row gives, and how far rounding may put it off."""
    if not relative:
        return v.value - item.d.value, 1.5 * (v.half + item.d.half)
    scale = 1 + item.d.value / 100
    if abs(scale) < 0.01:
        return v.value, abs(v.value)
    return v.value / scale, 1.5 * (v.half + abs(v.value) * item.d.half / 100 / abs(scale)) / abs(
        scale
    )
