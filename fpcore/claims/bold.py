"""The rule 順序 for bold type: a bold value is the best, where all other bold values are."""

from collections.abc import Iterator

from fpcore.claims.document import Report
from fpcore.claims.facts import roles
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.quantities import Number
from fpcore.claims.terms import better
from fpcore.claims.values import columns


def bold_slips(report: Report) -> Iterator[Finding]:
    """Yield bold values that are not the best, where all other bold values of the report are.

    A row that is bold as a whole marks itself, not its values, and says nothing of the best.
    """
    marks = [m for grid in report.grids for m in _consistent(grid)]
    report.count(len(marks))
    right = [m for m in marks if m[3]]
    wrong = [m for m in marks if not m[3]]
    if len(wrong) == 1 and len(right) >= 2:
        grid, (i, n, j), (k, most, at), _ = wrong[0]
        lines = (grid.rows[i][j].line, grid.rows[k][at].line)
        text = report.say(
            f"太字の {n.text}（{grid.title(i)} / {grid.heads[j].text}）は最良でない（{most.text}、"
            f"{lines[1]} 行）。",
            f"The bold {n.text} ({grid.title(i)} / {grid.heads[j].text}) is not the best: "
            f"{most.text} (line {lines[1]}).",
        )
        yield Finding("順序", lines, text)


_Spot = tuple[int, Number, int]
_Mark = tuple[Grid, _Spot, _Spot, bool]


def _consistent(grid: Grid) -> list[_Mark]:
    """Return the marks of columns or those of rows, where several values bear one of them out."""
    across, along = list(_of_columns(grid)), list(_of_rows(grid))
    less, more = sorted((along, across), key=lambda marks: sum(m[3] for m in marks))
    clear = sum(m[3] for m in more) > max(1, sum(m[3] for m in less))
    return more if clear else [*across, *along]


def _of_columns(grid: Grid) -> Iterator[_Mark]:
    """Yield each value that alone is bold in its column, the best one, and whether they agree."""
    whole = {i for i, row in enumerate(grid.rows) if row[0].bold or all(c.bold for c in row)}
    for x in (x for x in columns(grid) if x.metric):
        spots = [(i, n, x.j) for i, n in x.rows]
        if not any(grid.rows[i][x.j].bold for i in whole):
            yield from _mark(grid, spots, better(x.metric))


def _of_rows(grid: Grid) -> Iterator[_Mark]:
    """Yield each value that alone is bold in its row, the best one, and whether they agree."""
    values = roles(grid).values
    for i, row in enumerate(grid.rows) if 2 <= len(values) <= 12 else []:
        heads = {read_label(grid.heads[j].text).metric for j in values}
        metric = read_label(row[0].text).metric or (heads.pop() if len(heads) == 1 else "")
        numbers = [(i, n, j) for j in values if (n := grid.number(i, j))]
        same = len({n.unit for _, n, _ in numbers}) == 1 and len(heads) < 2
        if metric and same and len(numbers) == len(values):
            yield from _mark(grid, numbers, better(metric))


def _mark(grid: Grid, spots: list[_Spot], sign: int) -> Iterator[_Mark]:
    bold = [s for s in spots if grid.rows[s[0]][s[2]].bold]
    if len(bold) == 1 and sign and len(spots) > 1:
        most = max(spots, key=lambda s: sign * s[1].value)
        yield grid, bold[0], most, bold[0][1].value == most[1].value
