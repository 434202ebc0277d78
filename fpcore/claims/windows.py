"""The rules for power laws: Δ of sliding windows, and exponents against the raw rows.

An exponent is held against the least-squares slope of log PPL over log tokens of a run, where the
report prints both and another exponent of the report agrees with its slope in this way.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator

from fpcore.claims.arithmetic import RELATIVE, fits, kinds_for, shown
from fpcore.claims.document import Report, Sentence
from fpcore.claims.facts import Fact, roles
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Grid
from fpcore.claims.labels import read_label
from fpcore.claims.quantities import numbers_in
from fpcore.claims.terms import column

_DELTA = re.compile(r"Δ\s*(?:α|alpha)\s*[=:]", re.IGNORECASE)
_Point = tuple[float, float, float]  # size, log tokens, log PPL


def window_slips(report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Yield the slips in Δ lines and in exponents."""
    alphas = [f for f in facts if f.metric == "alpha" and not f.difference]
    for s in report.sentences if alphas else []:
        m = _DELTA.search(s.text)
        if m:
            own = [f for f in alphas if f.window and f.line < s.line and s.line - f.line < 12]
            yield from _deltas(report, s, m.end(), [f for f in own if _of_place(f, s, report)])
    if alphas:
        yield from _slopes(report, alphas)


def _of_place(f: Fact, s: Sentence, report: Report) -> bool:
    """Say whether a fact stands under the same label as a sentence."""
    words = read_label(s.place.label, heading=True).words
    return f.source < 0 and words <= f.words | f.above


def _deltas(report: Report, s: Sentence, start: int, own: list[Fact]) -> Iterator[Finding]:
    """Check Δα: the last window less the first, and its share of the first."""
    if len(own) != 2:
        return
    a, b = own
    for d in (n for n in numbers_in(s.text) if n.start >= start):
        report.count()
        kinds = kinds_for(d, a.number, b.number)
        if not kinds or any(
            fits(d, k, a.number, b.number, sign) for k in kinds for sign in (1, -1)
        ):
            continue
        kind = RELATIVE if d.unit == "%" else kinds[0]
        due = shown(kind, a.number, b.number, d)
        text = report.say(
            f"Δα の {d.text} は {a.number.text}（{a.line} 行）から {b.number.text}（{b.line} 行）"
            f"への変化 {due} と合わない。",
            f"Δα {d.text} does not follow from {a.number.text} (line {a.line}) "
            f"and {b.number.text} (line {b.line}): {due}.",
        )
        yield Finding("算術", (s.line, a.line, b.line), text)


def _slopes(report: Report, alphas: list[Fact]) -> Iterator[Finding]:
    points: dict[frozenset[str], list[_Point]] = defaultdict(list)
    for grid in report.grids:
        for words, found in _points(grid):
            points[words] += found
    checked = [(f, due) for f in alphas if (due := _due(f, points)) is not None]
    report.count(len(checked))
    wrong = [(f, due) for f, due in checked if not _near(f, due)]
    if len(checked) - len(wrong) < 2 * len(wrong) or not wrong:
        return
    for f, due in wrong:
        text = report.say(
            f"{f.run} の α {f.number.text}（{f.line} 行）は、生データの log–log の傾き {due:.4f} "
            f"と合わない。",
            f"α {f.number.text} of {f.run} (line {f.line}) is not the log-log slope of the raw "
            f"rows, {due:.4f}.",
        )
        yield Finding("算術", (f.line,), text)


def _points(grid: Grid) -> Iterator[tuple[frozenset[str], list[_Point]]]:
    """Yield the points of a raw table with columns of sizes, tokens and Val PPL, and its run."""
    labels = [read_label(h.text).metric for h in grid.heads]
    sizes = [j for j, h in enumerate(grid.heads) if column(h.text) == "size"]
    values = [j for j in roles(grid).values if labels[j] == "val_ppl"]
    if "tokens" not in labels or len(sizes) != 1 or len(values) != 1:
        return
    at = (sizes[0], labels.index("tokens"), values[0])
    rows = [[row[j].number for j in at] for row in grid.rows]
    title = read_label(grid.place.titles[-1] if grid.place.titles else "", heading=True)
    numbers = [[n.value for n in row if n and n.value > 0] for row in rows]
    if all(len(row) == 3 for row in numbers) and len({row[0] for row in numbers}) == len(numbers):
        yield title.words, [(n, math.log(t), math.log(p)) for n, t, p in numbers]


def _due(f: Fact, points: dict[frozenset[str], list[_Point]]) -> float | None:
    known = points.get(f.words | f.above, [])
    if f.window:
        low, high = (int(x) for x in f.window.split("-"))
        known = [p for p in known if low <= p[0] <= high]
        if not known or known[0][0] != low or known[-1][0] != high:
            return None
    return _slope([(x, y) for _, x, y in known]) if len(known) > 2 else None


def _slope(points: list[tuple[float, float]]) -> float:
    x0, y0 = (sum(p[k] for p in points) / len(points) for k in (0, 1))
    spread = sum((x - x0) ** 2 for x, _ in points)
    return sum((x - x0) * (y - y0) for x, y in points) / spread if spread else math.nan


def _near(f: Fact, due: float) -> bool:
    return abs(abs(f.number.value) - abs(due)) <= f.number.half + 0.002
