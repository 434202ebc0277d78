"""The rule 算術 for two rows or columns of a table that a sentence compares, of whatever metric.

「A と B の差は x」, 「A は B より x% 低い」, 「A は B の x 倍」, 「A での改善は x%」. Any column
that bears the number out makes it right; so a sentence needs no metric. Round numbers are not
checked: they often speak of what no table has.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fpcore.claims.arithmetic import BASE_B, DIFFERENCE, RATIO, RELATIVE, Kind, fits, kinds_for
from fpcore.claims.beside import tables_of
from fpcore.claims.chains import ABOUT
from fpcore.claims.document import Report, Sentence
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.names import Clause
from fpcore.claims.quantities import Number
from fpcore.claims.terms import WORD
from fpcore.claims.verdicts import unborne

_NAME = r"([^、。,;:()「」\s]{1,24}?)"
_GAP = re.compile(
    rf"{_NAME}\s*(?:と|vs\.?|対)\s*{_NAME}\s*(?:の|との)\s*(?:間の\s*)?差分?\s*(?:は|が|:|も)\s*{ABOUT}$"
)
_GAP_TO = re.compile(rf"{_NAME}\s*(?:は|が)\s*{_NAME}\s*との\s*差分?\s*(?:は|が|:|も)\s*{ABOUT}$")
_AGAINST = re.compile(rf"(?:^|[、。)(])\s*{_NAME}\s*(?:より|に比べて?|に対して)も?\s*{ABOUT}$")
_THAN = re.compile(
    rf"{_NAME}\s*(?:は|が)\s*{_NAME}\s*(?:より|に比べて?|に対して|と比べて?)も?\s*{ABOUT}$"
)
_TIMES = re.compile(rf"{_NAME}\s*(?:は|が)\s*{_NAME}\s*の\s*{ABOUT}$")
_GAIN = re.compile(
    rf"{_NAME}\s*(?:での|の)\s*(?:改善|低下|増加|減少|差|変化)(?:率|幅|量)?\s*(?:は|が)\s*{ABOUT}$"
)
_FOLLOWS = re.compile(rf"\s*(?:の)?(?:{WORD.pattern})", re.IGNORECASE)
_ENDS = re.compile(
    r"\s*(?:$|[、。,()]|で(?:ある|、|$)|だ|と(?:な|、)|の改善|ポイント|しか|に(?:とど|達|縮))"
)
_NEGATED = re.compile(r"ない|ません|なかっ")
_MOST = 8
_Spots = tuple[Number, Number]


@dataclass(frozen=True)
class Claim:
    """What a sentence says of two entries: the number, and the kinds that it may be."""

    d: Number
    x: str
    y: str
    kinds: tuple[Kind, ...]
    value: Number | None = None  # printed for x, which has no name


def entry_slips(report: Report, clauses: list[Clause]) -> Iterator[Finding]:
    """Yield the numbers that no column of the tables beside a sentence bears out."""
    for c in clauses:
        grids = tables_of(report, c)
        if not 0 < len(grids) <= _MOST or c.loose or c.sentence.title or len(c.text) > 300:
            continue
        for claim in _claims(c):
            yield from _check(report, c.sentence, claim, grids)


def _claims(c: Clause) -> Iterator[Claim]:
    for n in c.numbers:
        before, after = c.text[: n.start], c.text[n.end :]
        if n.digits < 2 or n.ranged or n.spread or n.counter or _NEGATED.match(after[:10]):
            continue
        gap, than = _GAP.search(before) or _GAP_TO.search(before), _THAN.search(before)
        if gap and _ENDS.match(after):
            yield Claim(n, gap[1], gap[2], (DIFFERENCE, RELATIVE, BASE_B))
        elif than and _FOLLOWS.match(after) and not _NEGATED.search(after[:12]):
            yield Claim(n, than[1], than[2], (DIFFERENCE, RELATIVE))
        elif (
            n.unit == "%" and _FOLLOWS.match(after) and (said := _AGAINST.search(before))
        ) and not _NEGATED.search(after[:12]):
            yield from (Claim(n, "", said[1], (RELATIVE,), v) for v in _value_before(c, n))
        elif n.unit == "x" and _ENDS.match(after) and (times := _TIMES.search(before)):
            yield Claim(n, times[1], times[2], (RATIO,))
        elif _ENDS.match(after) and (gain := _GAIN.search(before)):
            yield Claim(n, gain[1], "", (DIFFERENCE, RELATIVE, BASE_B))


def _check(report: Report, s: Sentence, claim: Claim, grids: list[Grid]) -> Iterator[Finding]:
    pairs = [p for grid in grids for p in _pairs(grid, claim) if _fine(claim.d, *p)]
    known = [(k, a, b) for a, b in pairs for k in kinds_for(claim.d, a, b) if k in claim.kinds]
    report.count(bool(known))
    if known and not any(fits(claim.d, k, a, b, 0) for k, a, b in known):
        k, a, b = known[0]
        yield unborne(report, s, claim.d, k, (a, b))


def _fine(d: Number, a: Number, b: Number) -> bool:
    """Say whether two numbers are printed so finely that a difference can be told from them."""
    scale = 1.0 if d.unit in ("%", "x") or d.unit == a.unit else a.factor
    return d.unit in ("%", "x") or a.half + b.half <= max(abs(d.value), 4 * d.half) * scale


def _pairs(grid: Grid, claim: Claim) -> Iterator[_Spots]:
    """Yield the pairs of numbers of a table that a claim may speak of, the base first."""
    for side in (grid, grid.turn):
        if claim.value:
            yield from _of_value(side, claim.y, claim.value)
            continue
        x = _entries(side, claim.x, ends=True)
        if claim.y:
            for j in _entries(side, claim.y):
                yield from (p for i in x if i != j for p in _across(side, j, i))
        elif len(x) == 1:
            yield from _within(side, x[0])


def _value_before(c: Clause, n: Number) -> list[Number]:
    """Return the one number before another one, where it is a plain value of two digits or more."""
    found = [v for v in c.numbers if v.end <= n.start]
    plain = [v for v in found if v.digits > 1 and not (v.signed or v.about or v.counter)]
    return plain if len(found) == len(plain) == 1 else []


def _of_value(grid: Grid, name: str, value: Number) -> Iterator[_Spots]:
    """Yield the value of a name and a printed value in the same column."""
    for j in range(1, len(grid.heads)):
        column = [grid.number(i, j) for i in range(len(grid.rows))]
        if any(v and v.agrees(value) for v in column):
            yield from ((v, value) for i in _entries(grid, name) if (v := column[i]))


def _entries(grid: Grid, name: str, ends: bool = False) -> list[int]:
    """Return the rows that have a name: in the first cell, or as its one word."""
    return [i for i, row in enumerate(grid.rows) if _is(row[0].text, name, ends)]


def _is(title: str, name: str, ends: bool) -> bool:
    bare = re.sub(r"\(.*?\)", "", title).strip().lower()
    words = read_label(title).words
    called = [bare, *words]
    name = name.lower().strip()
    if not ends:
        return bool(bare) and name in called
    return any(
        t and re.search(rf"(?:^|[^A-Za-z0-9.]){re.escape(t)}$|^{re.escape(t)}$", name)
        for t in called
        if t
    )


def _across(grid: Grid, a: int, b: int) -> Iterator[_Spots]:
    for j in range(1, len(grid.heads)):
        yield from zip(_numbers(grid, a, j), _numbers(grid, b, j), strict=False)


def _within(grid: Grid, i: int) -> Iterator[_Spots]:
    """Yield the two values of a row that has just two of one metric."""
    metrics = {j: read_label(grid.heads[j].text).metric for j in range(1, len(grid.heads))}
    values = [j for j, m in metrics.items() if m and grid.number(i, j)]
    if len(values) == 2 and metrics[values[0]] == metrics[values[1]]:
        a, b = (grid.number(i, j) for j in values)
        if a and b:
            yield a, b


def _numbers(grid: Grid, i: int, j: int) -> list[Number]:
    first = grid.number(i, j)
    return [first, *grid.rows[i][j].numbers[1:]] if first else []
