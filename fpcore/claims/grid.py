"""Tables: their cells, heads and rows, whatever they were written as."""

import re
from dataclasses import dataclass, replace
from functools import cached_property

from fpcore.claims.quantities import (
    Number,
    cell_number,
    numbers_in,
    plain,
    without_intervals,
)
from fpcore.claims.terms import TERMS

_UNIT_IN_HEAD = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
_LONGEST = 500  # characters of a cell that are read
_BOLD = re.compile(r"^\s*(?:\*\*[^*]+\*\*|__[^_]+__|<b>.+</b>|<strong>.+</strong>)")
_EMPTY = re.compile(
    r"[-~=:.…*/]*|n/?a|none|nan|なし|基準|baseline|ref|base|同左|同上", re.IGNORECASE
)


@dataclass(frozen=True)
class Place:
    """The headings above a block, the outermost first, and the label just before it."""

    titles: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell in plain text, its line (from 1), and whether it is bold."""

    text: str
    line: int
    bold: bool = False

    @classmethod
    def read(cls, content: str, line: int) -> "Cell":
        """Return a cell of Markdown or HTML."""
        content = content[:_LONGEST]
        text = without_intervals(plain(content)).strip()
        return cls(text, line, bool(_BOLD.match(content)))

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """Return the numbers in it."""
        return numbers_in(self.text)

    @cached_property
    def number(self) -> Number | None:
        """Return the number that it begins with."""
        return cell_number(self.text)

    @property
    def empty(self) -> bool:
        """Say whether it stands for no value."""
        return bool(_EMPTY.fullmatch(self.text.strip()))


@dataclass(frozen=True)
class Grid:
    """A table: the head, and rows of the same width; `code` where it stood in a code block."""

    index: int
    place: Place
    heads: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    code: bool = False
    turned: bool = False

    @cached_property
    def units(self) -> list[tuple[float, str]]:
        """Return factor and unit that each head gives to bare numbers below it."""
        found = []
        for head in self.heads:
            m = _UNIT_IN_HEAD.search(head.text)
            factor, unit = TERMS["units"].get(m[1] if m else "", (1, ""))
            found.append((factor, "" if unit == "#" else unit))
        return found

    def number(self, i: int, j: int, k: int = 0) -> Number | None:
        """Return the k-th number of a cell, in the unit of its head where it has none itself."""
        cell = self.rows[i][j]
        if k:
            return cell.numbers[k] if cell.number and len(cell.numbers) == k + 1 else None
        n = cell.number
        factor, unit = self.units[j] if not self.turned else (1, "")
        if n is None or n.unit or not (unit or factor != 1):
            return n
        scale = n.factor * factor
        return replace(n, value=n.value * factor, half=n.half * factor, unit=unit, factor=scale)

    def title(self, i: int) -> str:
        """Return what a row is called: its first cell that is no number, else its first."""
        row = self.rows[i]
        named = (c.text for c in row if c.text and c.number is None)
        return next(named, row[0].text)

    @cached_property
    def turn(self) -> "Grid":
        """Return the table with its rows as columns."""
        lines = list(zip(self.heads, *self.rows, strict=True))
        return Grid(self.index, self.place, lines[0], tuple(lines[1:]), self.code, True)
