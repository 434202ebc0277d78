"""The rule 算術: a printed difference does not follow from the two numbers that it compares."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, permutations

from fpcore.conflicts import across
from fpcore.facts import (
    EPS,
    Fact,
    Finding,
    Line,
    Number,
    Report,
    cell_number,
    cells_of,
    numbers_in,
    row_fact,
    tables_in,
)
from fpcore.statements import (
    Change,
    Pair,
    Sentence,
    changes,
    is_setting,
    pair_before,
    part_of,
    signed,
    varies,
)
from fpcore.terms import (
    ALIASES,
    CONDITION,
    DIFFERENCE,
    HEDGE,
    METRIC,
    METRICS,
    SETTING,
    STEP,
    TERMS,
    mention,
    metric_in,
    sign_of,
)


def difference_name(a: str, b: str) -> str:
    """Return what stands for the run of a difference b − a."""
    return f"{b} − {a}"


def _readings(a: Number, b: Number, exact: bool) -> dict[str, tuple[float, float]]:
    """Return the intervals of b − a (in their unit) and of the relative change in %."""
    ha, hb = (0.0, 0.0) if exact else (a.half, b.half)
    change = b.value - a.value
    ratios = [-math.inf, math.inf]
    if abs(a.value) > ha:
        starts, ends = (a.value - ha, a.value + ha), (b.value - hb, b.value + hb)
        ratios = [(y - x) / abs(x) * 100 for x in starts for y in ends]
    return {a.unit: (change - ha - hb, change + ha + hb), "%rel": (min(ratios), max(ratios))}


def _reading(a: Number, b: Number, d: Number, exact: bool = False) -> Number | None:
    """Return a difference with the unit under which it fits b − a, or None where none does.

    What cannot be compared, as minutes with a share, is left as it is.
    """
    if a.unit != b.unit or (a.unit and d.unit not in ("", "%", a.unit)):
        return d
    if d.points and not a.unit:
        absolute = _reading(a, b, _absolute(d), exact)
        if absolute:
            return absolute
    if d.unit not in ("", "%") and not a.unit:
        d = replace(d, unit="", value=d.value / d.factor, half=d.half / d.factor)
    elif not d.unit and a.unit:
        d = replace(d, unit=a.unit, value=d.value * a.factor, half=d.half * a.factor)
    for unit, (low, high) in _readings(a, b, exact).items():
        values = [d.value] if d.text[0] in "+-" else [d.value, -d.value]
        near = any(low - d.half - EPS <= v <= high + d.half + EPS for v in values)
        if near and unit.removesuffix("rel") == d.unit and not (d.points and a.unit == "%" != unit):
            return replace(d, unit=unit)
    return None


def _absolute(d: Number) -> Number:
    return replace(d, unit="", text=d.text.rstrip("".join(TERMS["points"]) + " %"))


def _shown(value: float, like: Number) -> str:
    m = re.search(r"\.(\d+)", like.text)
    digits = len(m[1]) if m else 0
    return f"{value / like.factor:+,.{digits}f}{like.text.lstrip('+-±~0123456789.,').strip()}"


def _misfit(line: int, what: str, a: Number, b: Number, d: Number) -> Finding:
    """Say that a printed difference does not follow from its two numbers."""
    relative = d.unit == "%" != a.unit and not d.points
    value = (b.value - a.value) / (abs(a.value) / 100 if relative else 1)
    due = _shown(value, d) if d.unit or not a.unit else _shown(value / a.factor, d)
    text = f"{line} 行: {what}の差 {d.text} は {a.text} から {b.text} への変化（{due}）と合わない。"
    return Finding("算術", line, text)


def column_differences(report: Report) -> tuple[list[Finding], list[Fact]]:
    """Check each difference column; return the slips, and the differences that are right."""
    findings: list[Finding] = []
    facts: list[Fact] = []
    for head, *rows in tables_in(report.lines):
        titles = cells_of(head)
        for j in (j for j, t in enumerate(titles) if j > 1 and DIFFERENCE.fullmatch(t)):
            names = [report.name(t) for t in titles[j - 2 : j]]
            for row in (r for r in rows if len(cells_of(r)) > j):
                wrong, right = _cell_difference(titles, row, j, report)
                findings += wrong[:1]
                base = row_fact(titles, cells_of(row), row, report)
                metric = metric_in(titles[j - 1]) or base.metric
                if names[0] and names[1] and metric:
                    run = difference_name(names[0], names[1])
                    facts += [replace(base, metric=metric, run=run, number=d) for d in right]
    return findings, facts


def _cell_difference(
    titles: list[str], row: Line, j: int, report: Report
) -> tuple[list[Finding], list[Number]]:
    cells = cells_of(row)
    a, b = cell_number(cells[j - 2]), cell_number(cells[j - 1])
    if not a or not b:
        return [], []
    exact = titles[j].lower() in TERMS["exact"] or row.exact
    parts = [(d, _reading(a, b, d, exact)) for d in numbers_in(cells[j])]
    wrong = [
        _misfit(row.no, f"「{report.shown(cells[0])}」", a, b, d) for d, fit in parts if not fit
    ]
    return wrong, [fit for _, fit in parts if fit]


def window_differences(report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check Δ lines: last window less first window of the run, and its share of the first."""
    delta = re.compile(rf"Δ\s*({METRIC.pattern})\s*=\s*([^()]*(?:\([^()]*\))?)", re.IGNORECASE)
    for line in report.lines:
        for m in delta.finditer(line.text):
            run = report.name(line.text[: m.start()]) or line.run
            own = [f for f in facts if (f.run, f.metric) == (run, ALIASES[m[1].lower()])]
            sliding = _sliding([f for f in own if f.window and f.line <= line.no])
            for d in numbers_in(m[2]) if len(sliding) > 1 else []:
                a, b = sliding[0].number, sliding[-1].number
                if not _reading(a, b, d):
                    yield _misfit(line.no, f"{run} の Δ{m[1]}（最初と最後のウィンドウ）", a, b, d)


def _sliding(facts: list[Fact]) -> list[Fact]:
    """Return the last printed run of windows, without one that spans all the others."""
    latest = {f.window: f for f in facts}
    spans = {w: [int(x) for x in (w or "").split("-")] for w in latest}
    whole = [min(s[0] for s in spans.values()), max(s[-1] for s in spans.values())] if spans else []
    order = sorted(latest.values(), key=lambda f: spans[f.window])
    return [f for f in order if len(order) < 3 or spans[f.window] != whole]


def statement_differences(
    s: Sentence, report: Report, facts: list[Fact]
) -> tuple[list[Finding], list[Fact]]:
    """Check 「A→B（+x%）」, and return the differences that a sentence gives between the runs."""
    findings, found = [], []
    for n in signed(s, report):
        metric, pair = s.metric(n) or "", pair_before(s, n)
        fit = _reading(pair.first, pair.second, n) if pair else _free_reading(s, n, report, facts)
        if pair and not fit:
            findings.append(_misfit(s.line.no, f"「{pair.text}」", pair.first, pair.second, n))
        elif fit and (not pair or across(pair, s, report, facts, metric)):
            found.append(s.fact(metric, difference_name(*report.runs[:2]), fit))
    return findings, found


def _free_reading(s: Sentence, n: Number, report: Report, facts: list[Fact]) -> Number:
    """Read a difference that stands alone: % of what is not in % is relative."""
    metric = s.metric(n) or ""
    runs = report.runs[:2]
    a, b = ([f for f in s.known(facts, metric, r, n) if f.step is None] for r in runs)
    fits = [
        _reading(x.number, y.number, n)
        for x in a
        for y in b
        if (x.metric, x.size, x.window) == (y.metric, y.size, y.window)
    ]
    points = any(f.number.unit == "%" for f in a + b)
    read = [fit.unit for fit in fits if fit]
    if "" in read:
        return replace(n, unit="")
    relative = n.unit == "%" and not (points and ("%" in read or "%rel" not in read))
    return replace(n, unit="%rel") if relative else n


def stated_differences(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check 「3 低い」 and 「3-4% 低下」 against the pair before them, or else the runs."""
    settled = {n.start for n in signed(s, report)}
    for c in (c for c in changes(s) if c.number.start not in settled):
        pair, metric = pair_before(s, c.number), s.metric(c.number)
        if pair and (s.metric(pair.ends[0]) or _owner(pair, facts)):
            if not _reading(pair.first, pair.second, c.number):
                yield _misfit(s.line.no, f"「{pair.text}」", pair.first, pair.second, c.number)
        elif not pair and metric and not HEDGE.search(s.text):
            yield from _unlike_values(s, c, report, _comparable(s, c, report, facts, metric))


def _owner(pair: Pair, facts: list[Fact]) -> bool:
    """Say whether both ends of a pair are values of one metric."""
    a, b = ({f.metric for f in facts if f.number.agrees(n)} for n in (pair.first, pair.second))
    return bool(a & b)


def _comparable(
    s: Sentence, c: Change, report: Report, facts: list[Fact], metric: str
) -> list[tuple[Fact, Fact]]:
    """Return the values that a difference may be of: those that are alike but for their run."""
    part, known = part_of(s.text, c.number.start), s.known(facts, metric, at=c.number)
    step = mention(STEP, part)
    trained = step is None and any(f.step is not None for f in known) and varies(s, "step")
    several = not c.word and len(set(METRIC.findall(part))) > 1
    other = CONDITION.search(s.text) and not any(is_setting(s, p) for p in s.pairs)
    if varies(s) or trained or several or other or step != s.step:
        return []
    known, orders = [f for f in known if f.step == step], _orders(s, report)
    return [(x, y) for x in known for y in known if (x.run, y.run) in orders and x.alike(y)]


def _orders(s: Sentence, report: Report) -> set[tuple[str, str]]:
    """Return the pairs of runs, from and to, of which a sentence may give the difference."""
    runs = report.runs[:-2]
    if s.subject or s.reference:
        return {
            (x, y)
            for x, y in permutations(runs, 2)
            if s.reference in (None, x) and s.subject in (None, y)
        }
    a, b = report.runs[:2]
    found = [p for p in s.pairs if is_setting(s, p)]
    if found:
        return {o for p in found for o in _changed(p, report)}
    either = report.names(s.text) or s.line.run or SETTING.search(s.text)
    return {(a, b), (b, a)} if either else {(a, b)}


def _changed(pair: Pair, report: Report) -> Iterator[tuple[str, str]]:
    """Yield the two runs between which a table changes a setting as a pair says."""
    a, b = report.runs[:2]
    ends = (pair.first.value, pair.second.value)
    for cells in (cells_of(row) for _, *rows in tables_in(report.lines) for row in rows):
        for x, y in pairwise([n.value if (n := cell_number(c)) else None for c in cells]):
            if ends in ((x, y), (y, x)):
                yield (a, b) if ends == (x, y) else (b, a)


def _unlike_values(
    s: Sentence, c: Change, report: Report, values: list[tuple[Fact, Fact]]
) -> Iterator[Finding]:
    """Yield what is wrong with a difference: its size first, else its direction."""
    sign = sign_of(c.sense, values[0][0].metric) if values else 0
    sign = 0 if any(s.metric(p.ends[0]) for p in s.pairs) else sign  # 方向 has read the pair
    d = replace(c.number, value=sign * c.number.value, text=f"{sign:+}"[0] + c.number.text)
    fits = [_reading(x.number, y.number, d if sign else c.number) for x, y in values]
    if not values or any(fits):
        return
    x, y = max(values, key=lambda v: v[0].size or 0)
    what = f"{y.run} と {x.run} の{METRICS[x.metric]['name']}"
    if not any(_reading(x.number, y.number, c.number) for x, y in values):
        yield _misfit(s.line.no, what, x.number, y.number, c.number)
        return
    text = f"{s.line.no} 行: {what}の差 {c.number.text} の「{c.word}」は数値と逆である（{x.run} は"
    yield Finding("方向", s.line.no, f"{text} {x.number.text}、{y.run} は {y.number.text}）。")
