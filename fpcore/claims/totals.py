"""The rule 算術 for totals and means in tables: 合計 is the sum of its parts, 平均 their mean.

A row (or column) that is called a total is checked only where all its parts have plain numbers of
one unit, no part is itself a total, and the report bears the reading out: the sums of other
columns fit, or the total is near its sum.
"""

import re
from collections.abc import Iterator

from fpcore.claims.document import Report
from fpcore.claims.facts import is_difference
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.quantities import Number
from fpcore.claims.terms import TERMS

_TOTAL = re.compile(
    rf"(?:{'|'.join(map(re.escape, TERMS['totals']))})\s*(?:\(.*\))?", re.IGNORECASE
)
_SHARE = re.compile(r"割合|比率|構成比|share|^%$|\s%$|percent|fraction", re.IGNORECASE)
_TOTAL_OF = re.compile(r"(?:合計|総|Total\s)\s*(\S.*)", re.IGNORECASE)
_MEAN = re.compile(rf"(?:{'|'.join(map(re.escape, TERMS['means']))})\s*(?:\(.*\))?", re.IGNORECASE)
_PARTLY = re.compile(r"小計|subtotal|など|うち|…|\.\.\.|除", re.IGNORECASE)
_STATISTIC = re.compile(
    r"標準偏差|std.*|sd|分散|最大|最小|最良|max|min|best|中央値|median|n|比率|割合|%", re.IGNORECASE
)
_NEAR = 0.25  # a total that is further from its sum is of other parts than those shown


def total_slips(report: Report) -> Iterator[Finding]:
    """Yield the totals and means of tables that their parts do not bear out."""
    for grid in report.grids:
        if len(grid.rows) < 400:
            yield from _shares(report, grid)
            yield from _rows(report, grid)
            yield from _rows(report, grid.turn)


def _rows(report: Report, grid: Grid) -> Iterator[Finding]:
    kinds = [_kind(row[0].text) for row in grid.rows]
    yield from _named_totals(report, grid)
    named = [i for i, kind in enumerate(kinds) if kind]
    if not named or any(_PARTLY.search(row[0].text) for row in grid.rows):
        return
    parts = [i for i in range(len(grid.rows)) if not _extra(grid, i, kinds)]
    for i in named:
        if len(parts) < 2 or min(parts) > i > max(parts) or not (i > max(parts) or i < min(parts)):
            continue
        checked = [
            None if _other(grid.heads[j].text) else _column(grid, j, parts, i, kinds[i])
            for j in range(1, len(grid.heads))
        ]
        report.count(sum(c is not None for c in checked))
        right = sum(c is True for c in checked)
        wrong = [j for j, c in enumerate(checked, 1) if c is False]
        for j in wrong if len(wrong) == 1 else []:
            if right or _close(grid, j, parts, i, kinds[i]):
                yield _finding(report, grid, j, parts, i, kinds[i])


def _shares(report: Report, grid: Grid) -> Iterator[Finding]:
    """Check a column of shares against the column before it and its total, row by row."""
    for j, head in enumerate(grid.heads):
        if j < 2 or not _SHARE.search(head.text):
            continue
        rows = [(i, grid.number(i, j - 1), grid.number(i, j)) for i in range(len(grid.rows))]
        known = [(i, v, p) for i, v, p in rows if v and p and p.unit == "%" and v.unit != "%"]
        wholes = [v for _, v, p in known if p.value == 100]
        parts = [x for x in known if x[2].value != 100]
        if len(wholes) != 1 or len(parts) < 3 or wholes[0].value <= 0:
            continue
        report.count(len(parts))
        wrong = [x for x in parts if not _is_share(*x[1:], wholes[0])]
        if len(wrong) == 1 and len(parts) > 2:
            i, v, p = wrong[0]
            due = f"{100 * v.value / wholes[0].value:.1f}%"
            text = report.say(
                f"「{grid.title(i)} / {head.text}」の {p.text} は {v.text} / {wholes[0].text} = "
                f"{due} と合わない。",
                f"'{grid.title(i)} / {head.text}': {p.text} is not {v.text} / {wholes[0].text} = "
                f"{due}.",
            )
            yield Finding("算術", (grid.rows[i][j].line,), text)


def _is_share(v: Number, p: Number, whole: Number) -> bool:
    due, slack = 100 * v.value / whole.value, 100 * (v.half + whole.half) / whole.value
    return abs(due - p.value) <= slack + 2 * p.half


def _named_totals(report: Report, grid: Grid) -> Iterator[Finding]:
    """Check 「合計時間」 against the rows before it whose titles end alike: 「Phase 1 時間」."""
    for i, row in enumerate(grid.rows):
        m = _TOTAL_OF.fullmatch(row[0].text.strip())
        if not m:
            continue
        parts = [k for k in range(i) if grid.rows[k][0].text.strip().endswith(m[1])]
        whole = len(parts) > 1 and parts == list(range(i - len(parts), i))
        for j in range(1, len(grid.heads)) if whole else []:
            if _column(grid, j, parts, i, "total") is False and _close(grid, j, parts, i, "total"):
                yield _finding(report, grid, j, parts, i, "total")


def _kind(title: str) -> str:
    text = title.strip()
    return "total" if _TOTAL.fullmatch(text) else "mean" if _MEAN.fullmatch(text) else ""


def _extra(grid: Grid, i: int, kinds: list[str]) -> bool:
    text = grid.rows[i][0].text
    return bool(kinds[i] or _other(text) or not text)


def _other(title: str) -> bool:
    """Say whether a row or column is of a difference or another statistic, and so no part."""
    return is_difference(title) or bool(_STATISTIC.fullmatch(title))


def _numbers(grid: Grid, j: int, parts: list[int], i: int) -> tuple[list[Number], Number] | None:
    numbers, total = [grid.rows[k][j].number for k in parts], grid.rows[i][j].number
    if total is None or any(n is None for n in numbers):
        return None
    found = [n for n in numbers if n]
    plain = not any(n.about or n.ranged or n.spread for n in found) and not total.about
    whole = all(len(grid.rows[k][j].numbers) < 3 for k in (*parts, i))
    same = len({n.unit for n in (*found, total)}) == 1
    return (found, total) if plain and same and whole and total.digits > 1 else None


def _due(numbers: list[Number], kind: str) -> tuple[float, float]:
    value, half = sum(n.value for n in numbers), sum(n.half for n in numbers)
    if all(float(n.value).is_integer() and n.half == 0.5 for n in numbers):
        half = 0.0
    scale = len(numbers) if kind == "mean" else 1
    return value / scale, half / scale


def _column(grid: Grid, j: int, parts: list[int], i: int, kind: str) -> bool | None:
    """Say whether a total fits; None where it cannot be told."""
    found = _numbers(grid, j, parts, i)
    if found is None:
        return None
    numbers, total = found
    if kind == "total" and min(n.value for n in numbers) <= total.value <= max(
        n.value for n in numbers
    ):
        return None  # it is a mean, or of other parts
    if total.unit in ("%", "x") and kind == "total" and abs(_due(numbers, kind)[0] - 100) > 5:
        return None
    value, half = _due(numbers, kind)
    exact = half == 0 and kind == "total" and total.half == 0.5
    return abs(value - total.value) <= (0 if exact else half + total.half) + 1e-9 * abs(value)


def _close(grid: Grid, j: int, parts: list[int], i: int, kind: str) -> bool:
    found = _numbers(grid, j, parts, i)
    if found is None or kind == "mean":
        return False
    value = _due(found[0], kind)[0]
    return abs(value - found[1].value) < _NEAR * abs(value)


def _finding(report: Report, grid: Grid, j: int, parts: list[int], i: int, kind: str) -> Finding:
    numbers, total = _numbers(grid, j, parts, i) or ([], None)
    cell = grid.rows[i][j]
    digits = len(cell.text.partition(".")[2].rstrip("%")) if "." in cell.text else 0
    scale = numbers[0].factor if numbers else 1
    due = f"{_due(numbers, kind)[0] / scale:,.{min(digits, 6)}f}"
    what = f"{grid.rows[i][0].text} / {grid.heads[j].text}"
    lines = (cell.line, *dict.fromkeys(grid.rows[k][j].line for k in parts))
    listed = ", ".join(n.text for n in numbers[:8])
    printed = total.text if total else cell.text
    text = report.say(
        f"「{what}」の {printed} は、{listed} から出る {due} と合わない。",
        f"'{what}': {printed} does not follow from {listed}: {due}.",
    )
    return Finding("算術", tuple(dict.fromkeys(lines))[:6], text)
