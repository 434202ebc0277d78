"""The rule 算術 for what is written out: equations, shares of counts, PPL = exp(loss), power laws.

Equations of numbers alone are checked (「12 × 64 = 768」); one with a letter, a bracket or a
function in it is not. PPL against exp(loss) is checked in tables where most rows bear it out.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from fpcore.claims.document import Report
from fpcore.claims.facts import roles
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.quantities import Number, numbers_in
from fpcore.claims.shares import share_slips

_OPERATOR = re.compile(
    r"\s*(?:\([^()\d]{0,12}\)|[^\W\d_]{2,10})?\s*([-+×*÷/x])\s*(?:[^\W\d_]{1,8}\s*)?(?=$)"
)
_EQUALS = re.compile(
    r"\s*(?:\([^()\d]{0,12}\)|(?<=[\d ])[^\W\d_]{1,10})?\s*([=≈≒])\s*(?:約|~|≈)?\s*"
)
_BEFORE = re.compile(
    r"(?:[-+×*÷/^_\d.%√Σ∑]|[-+×*÷/^A-Za-z0-9_]\(|\b[A-Za-z]|\b(?:exp|log|ln|sqrt|max|min))\s*$|[A-Za-z]$"
)
_AFTER = re.compile(r"\s*(?:[-+×*÷/^]|\*\*)\s*[\w(]|\s*\^|\(\d|[A-Za-z_]")
_LAW = re.compile(
    r"PPL\s*(?:=|≈|∝)\s*(?:[\d.,]+\s*(?:×|x|\*|·)?\s*)?[A-Za-z]\w*\s*\^?\s*[({]?\s*(-\s*0?\.\d+)",
    re.IGNORECASE,
)
_DOUBLED = re.compile(
    r"(?:(\d+)\s?倍(?:に(?:する|なる|増やす)(?:と|ごとに|たびに)|で|ごとに|にすると)"
    r"|doubling)[^。\d]{0,24}?(?:約|およそ|~|about |by )*\s?(\d+(?:\.(\d+))?)\s?%",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Sum:
    """An equation: its operands with the operators between them, and the result."""

    operands: tuple[Number, ...]
    operators: tuple[str, ...]
    result: Number
    about: bool


def equation_slips(report: Report) -> Iterator[Finding]:
    """Yield the slips of equations, shares and laws in all text, cells and code lines."""
    for text, line in _texts(report):
        if "=" in text or "≈" in text or "≒" in text:
            yield from _equations(report, text, line)
        if "%" in text:
            yield from share_slips(report, text, line)
    for grid in report.grids:
        yield from _exponentials(report, grid)
    yield from _laws(report)


def _texts(report: Report) -> Iterator[tuple[str, int]]:
    yield from report.lines()
    for grid in report.grids:
        for row in grid.rows:
            for cell in row:
                if ("%" in cell.text and "/" in cell.text) or "=" in cell.text:
                    yield cell.text, cell.line


def _equations(report: Report, text: str, line: int) -> Iterator[Finding]:
    numbers = numbers_in(text)
    i = 0
    while i + 2 < len(numbers):
        found = _read(text, numbers[i:])
        if found is None:
            i += 1
            continue
        i += len(found.operands)
        before = text[: found.operands[0].start]
        if _BEFORE.search(before) or _AFTER.match(text, found.result.end):
            continue
        report.count()
        if not _holds(found):
            yield _wrong(report, text, line, found)


def _read(text: str, numbers: tuple[Number, ...]) -> _Sum | None:
    operands, operators = [numbers[0]], list[str]()
    for n in numbers[1:8]:
        between = text[operands[-1].end : n.start]
        equals = _EQUALS.fullmatch(between)
        if equals:
            about = equals[1] != "=" or n.about or "約" in between or "~" in between
            done = operators and not n.ranged and not n.spread
            return _Sum(tuple(operands), tuple(operators), n, about) if done else None
        m = _OPERATOR.fullmatch(between)
        sign = n.text[0] if n.signed and not between.strip() else ""
        if not (m or sign) or n.spread or operands[-1].spread:
            return None
        operators.append(m[1] if m else "+")
        operands.append(n)
    return None


def _holds(s: _Sum) -> bool:
    """Say whether any reading of percents, and any rounding, bears an equation out."""
    low_high = [_readings(n) for n in (*s.operands, s.result)]
    for *parts, result in product(*low_high):
        corners = [_value(c, s.operators) for c in product(*parts)]
        known = [c for c in corners if c is not None]
        slack = abs(sum(result) / 2) * (0.1 if s.about else 0.002)
        if not known or (min(known) - slack <= result[1] and max(known) + slack >= result[0]):
            return True
    return False


def _readings(n: Number) -> list[tuple[float, float]]:
    """Return the intervals that a number may stand for: as printed, in base units, as a share."""
    exact = "." not in n.text and n.factor == 1 and not n.unit and "e" not in n.text
    half = 0.0 if exact else n.half
    base = (n.value - half, n.value + half)
    found = [base]
    if n.factor != 1:
        found.append((base[0] / n.factor, base[1] / n.factor))
    if n.unit == "%":
        found.append((base[0] / 100, base[1] / 100))
    return found


def _value(numbers: tuple[float, ...], operators: tuple[str, ...]) -> float | None:
    terms = [numbers[0]]
    for operator, n in zip(operators, numbers[1:], strict=True):
        if operator in "×*x":
            terms[-1] *= n
        elif operator in "÷/":
            if n == 0:
                return None
            terms[-1] /= n
        else:
            terms.append(-n if operator == "-" else n)
    return sum(terms)


def _wrong(report: Report, text: str, line: int, s: _Sum) -> Finding:
    said = text[s.operands[0].start : s.result.end]
    value = _value(tuple(n.value / n.factor for n in s.operands), s.operators)
    due = f"{value:,.4g}" if value is not None else "?"
    return Finding(
        "算術",
        (line,),
        report.say(
            f"「{said}」は成り立たない（左辺は {due}、{line} 行）。",
            f"'{said}' does not hold: the left side is {due} (line {line}).",
        ),
    )


_LOSS_OF = (
    ("val_ppl", "val_loss"),
    ("train_ppl", "train_loss"),
    ("test_ppl", "test_loss"),
    ("ppl", "loss"),
    ("ppl", "val_loss"),
    ("val_ppl", "loss"),
)


def _exponentials(report: Report, grid: Grid) -> Iterator[Finding]:
    """Check PPL = exp(loss) in the rows of a table where at least two other rows bear it out."""
    heads = {read_label(grid.heads[j].text).metric: j for j in roles(grid).values}
    for ppl, loss in _LOSS_OF:
        if ppl not in heads or loss not in heads:
            continue
        rows = [
            (i, grid.number(i, heads[loss]), grid.number(i, heads[ppl]))
            for i in range(len(grid.rows))
        ]
        known = [
            (i, x, p, _is_exp(x, p)) for i, x, p in rows if x and p and not x.unit and x.value < 50
        ]
        report.count(len(known))
        wrong = [(i, x, p) for i, x, p, fit in known if not fit]
        if len(wrong) != 1 or len(known) < 3:
            continue
        i, x, p = wrong[0]
        line = grid.rows[i][heads[ppl]].line
        due = f"{math.exp(x.value):.1f}"
        text = report.say(
            f"PPL {p.text} は同じ行の loss {x.text} の exp、{due} と合わない（{line} 行）。",
            f"PPL {p.text} is not exp of the loss {x.text} in its row: {due} (line {line}).",
        )
        yield Finding("算術", (line,), text)


def _is_exp(loss: Number, ppl: Number) -> bool:
    low, high = (math.exp(v) for v in loss.ends)
    return low - ppl.half <= ppl.value <= high + ppl.half


def _laws(report: Report) -> Iterator[Finding]:
    """Check 「2 倍で x% 下がる」 against the one power law of its section."""
    laws: dict[tuple[str, ...], list[tuple[float, int]]] = {}
    for s in report.sentences:
        for m in _LAW.finditer(s.text):
            laws.setdefault(s.place.titles, []).append((float(m[1].replace(" ", "")), s.line))
    for s in report.sentences if laws else []:
        for m in _DOUBLED.finditer(s.text):
            known = laws.get(s.place.titles, [])
            if len({power for power, _ in known}) == 1 and re.search(
                r"下|減|低|改善|lower|reduc|decreas", s.text
            ):
                yield from _doubled(report, s.line, m, *known[0])


def _doubled(
    report: Report, line: int, m: re.Match[str], power: float, at: int
) -> Iterator[Finding]:
    times = int(m[1] or 2)
    if times < 2:
        return
    due = 100 * (1 - times**power)
    half = 10.0 ** -len(m[3] or "")
    if abs(due - float(m[2])) > max(half, 0.07 * due):
        text = report.say(
            f"「{m[0]}」は、指数 {power:g}（{at} 行）から出る {due:.1f}% と合わない。",
            f"'{m[0]}' does not follow from the exponent {power:g} (line {at}): {due:.1f}%.",
        )
        yield Finding("算術", (line, at), text)
