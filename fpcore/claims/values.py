"""The columns of values of a table, as superlatives and bold type speak of them."""

import re
from dataclasses import dataclass

from fpcore.claims.facts import is_difference, roles
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.quantities import Number
from fpcore.claims.terms import TERMS, column

_MOST = 60  # rows of a table in which one may be of others
_SUMMARIES = {w.lower() for w in (*TERMS["totals"], *TERMS["means"], "標準偏差", "std", "sd")}


@dataclass(frozen=True)
class Column:
    """A column of values: its table, its place, the metric, and the rows that have a number."""

    grid: Grid
    j: int
    metric: str
    rows: tuple[tuple[int, Number], ...]

    @property
    def title(self) -> str:
        """Return the text of its head."""
        return self.grid.heads[self.j].text

    @property
    def name(self) -> str:
        """Return its head without brackets."""
        return re.sub(r"\(.*?\)|\[.*?\]", "", self.title).strip()

    def line(self, i: int) -> int:
        """Return the line of its value in a row."""
        return self.grid.rows[i][self.j].line

    def rivals(self, other: "Column") -> bool:
        """Say whether both hold one metric in one table."""
        return self.grid is other.grid and self.metric == other.metric and self.j != other.j

    def extreme(self, sign: int) -> tuple[int, Number]:
        """Return the row and number of the lowest (sign -1) or highest value."""
        return max(self.rows, key=lambda r: sign * r[1].value)

    def named(self, name: str) -> list[tuple[int, Number]]:
        """Return the rows that have a name in a cell or, all of them, in the head."""
        label = read_label(self.title)
        if name in label.words:
            return list(self.rows)
        return [
            (i, n)
            for i, n in self.rows
            if any(name in read_label(c.text).words for c in self.grid.rows[i] if c.number is None)
        ]


def _summary(grid: Grid, i: int) -> bool:
    """Say whether a row is of differences, a total, a mean, or of other rows: 「A+B」."""
    title = re.sub(r"\(.*?\)", "", grid.rows[i][0].text).strip()
    parts = [p.strip() for p in title.split("+")]
    joint = len(parts) > 1 and set(parts) <= {row[0].text.strip() for row in grid.rows[:_MOST]}
    return joint or title.lower() in _SUMMARIES or is_difference(title)


def columns(grid: Grid) -> list[Column]:
    """Return the columns of values of a table, without rows of totals and differences."""
    found = []
    role = roles(grid)
    plain = [j for j in role.keys if j and not column(grid.heads[j].text)]
    own = [i for i in range(len(grid.rows)) if not _summary(grid, i)]
    for j in (*role.values, *role.differences, *plain):
        numbers = ((i, grid.number(i, j)) for i in own)
        rows = [(i, n) for i, n in numbers if n and not n.ranged]
        change = j not in role.values
        metric = "" if change else read_label(grid.heads[j].text).metric
        if (metric or change) and len(rows) > 1 and len({n.unit for _, n in rows}) == 1:
            found.append(Column(grid, j, metric, tuple(rows)))
    return found
