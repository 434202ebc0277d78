"""The rule 二つの値: one quantity, with one whole key, is printed with two values.

Values are compared between tables and traces only, never within one, and only where both sources
agree in other values that they share: two tables that agree in nothing are of two experiments.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from fpcore.claims.document import Report
from fpcore.claims.facts import Fact
from fpcore.claims.finding import Finding
from fpcore.claims.grid import Cell, Grid
from fpcore.claims.labels import read_label
from fpcore.claims.quantities import mistyped
from fpcore.claims.terms import METRICS, column

_Pair = tuple[Fact, Fact]
_STEP_WORDS = {"iter", "iters", "iterations", "iteration", "epoch", "epochs", "step", "steps"}


def conflicts(report: Report, facts: Iterable[Fact]) -> Iterator[Finding]:
    """Yield one finding for each quantity that is printed with values that cannot both be right."""
    facts = list(facts)
    found: dict[tuple[object, ...], dict[Fact, None]] = {}
    for key_of, strict in ((_whole, True), (_trace, True), (_bare, False)):
        for pairs in _by_sources(facts, key_of).values():
            report.count(len(pairs) if strict else 0)
            for a, b in _slips(pairs, strict):
                group = found.setdefault((a.metric, a.words, a.step, a.window, a.size), {})
                group.update({a: None, b: None})
    for group in found.values():
        yield _finding(report, sorted(group, key=lambda f: f.line))


def unequal_columns(report: Report) -> Iterator[Finding]:
    """Yield counts (tokens, parameters) that two tables give alike for all sizes but one."""
    known: dict[tuple[str, ...], tuple[Grid, dict[str, Cell]]] = {}
    for grid in report.grids:
        for j, head in enumerate(grid.heads):
            if read_label(head.text).metric not in ("tokens", "parameters"):
                continue
            keys = [k for k, h in enumerate(grid.heads) if column(h.text) == "size"]
            if len(keys) != 1:
                continue
            cells = {row[keys[0]].text: row[j] for row in grid.rows if row[j].number}
            name = (head.text, grid.heads[keys[0]].text)
            if name in known and len(cells) == len(grid.rows):
                yield from _unequal(report, head.text, known[name][1], cells)
            known[name] = (grid, cells)


def _unequal(
    report: Report, what: str, one: dict[str, Cell], two: dict[str, Cell]
) -> Iterator[Finding]:
    both = [(size, one[size], two[size]) for size in one if size in two]
    report.count(len(both))
    other = [x for x in both if x[1].numbers != x[2].numbers and x[1].text != x[2].text]
    if len(other) != 1 or len(both) < 3:
        return
    size, a, b = other[0]
    text = report.say(
        f"サイズ {size} の{what}が {a.text}（{a.line} 行）と {b.text}（{b.line} 行）で、"
        f"ほかのサイズでは等しいのに違う。",
        f"{what} at size {size} is {a.text} (line {a.line}) and {b.text} (line {b.line}), though "
        f"equal at all other sizes.",
    )
    yield Finding("二つの値", (b.line, a.line), text)


def _whole(f: Fact) -> tuple[object, ...] | None:
    nameless = f.source <= -(10**6) and not f.words | f.above  # a sentence of anything
    return None if f.end or nameless else f.key


def _trace(f: Fact) -> tuple[object, ...] | None:
    """Return a key under which the end of a trace meets a table of the last size."""
    if f.step is not None or f.difference or f.metric in ("ppl", "val_ppl", "train_ppl"):
        return None
    return (f.metric, f.words | f.above, f.window, f.number.unit)


def _bare(f: Fact) -> tuple[object, ...] | None:
    """Return the key without the words of the headings: it needs much agreement."""
    return None if f.end or not f.words | f.above else (f.metric, f.words, *f.key[2:])


def _by_sources(facts: list[Fact], key_of: object) -> dict[tuple[int, int], list[_Pair]]:
    """Return the facts of equal keys that follow each other in two sources, by the sources."""
    groups: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    for f in facts:
        key = key_of(f)  # type: ignore[operator]
        if key is not None:
            groups[key].append(f)
    pairs: dict[tuple[int, int], list[_Pair]] = defaultdict(list)
    for group in groups.values():
        if key_of is _trace and not _one_trace(group):
            continue
        for a, b in pairwise(group):
            nested = a.above <= b.above or b.above <= a.above
            if a.source != b.source and nested and not _unlike(a, b):
                pairs[_source(a), _source(b)].append((a, b))
    return pairs


def _one_trace(group: list[Fact]) -> bool:
    """Say whether a group is one value of one table, and the end of one trace."""
    return len(group) == 2 and sorted(f.end for f in group) == [False, True]


def _source(f: Fact) -> int:
    """Return the source; all traces are one, and so are all lines of `metric = value`."""
    return f.source if f.source >= 0 else -1 if f.source > -(10**6) else -2


def _unlike(a: Fact, b: Fact) -> bool:
    """Say whether notes of both contradict each other: other values under one name."""
    notes = [dict(n.split("=", 1) for n in f.notes if "=" in n) for f in (a, b)]
    plain = [" ".join(sorted(n for n in f.notes if "=" not in n)) for f in (a, b)]
    digits = [sorted(re.findall(r"\d+(?:\.\d+)?", text)) for text in plain]
    words = [set(re.findall(r"[^\W\d]{3,}", text)) - _STEP_WORDS for text in plain]
    counter = any(notes[1].get(k, v) != v for k, v in notes[0].items())
    apart = all(digits) and digits[0] != digits[1]
    return counter or apart or not (words[0] <= words[1] or words[1] <= words[0])


def _slips(pairs: list[_Pair], strict: bool) -> Iterator[_Pair]:
    same = [(a, b) for a, b in pairs if _equal(a, b)]
    other = [(a, b) for a, b in pairs if not _equal(a, b)]
    sure = {a.number.value for a, _ in same if _telling(a)}
    likely = all(_near(a, b) or _close(a, b) for a, b in other)
    if (
        (strict and len(sure) >= 2 * len(other))
        or (strict and len(other) == 1 and (sure or not same) and _near(*other[0]))
        or (strict and len(other) == 1 and sure and likely)
        or (len(sure) >= 3 and len(sure) >= 3 * len(other))
    ):
        yield from other


def _telling(f: Fact) -> bool:
    """Say whether two sources that agree in a value are of one experiment: 100% says nothing."""
    return f.number.digits > 1 and f.number.value not in (0, 1, 100)


def _close(a: Fact, b: Fact) -> bool:
    return abs(a.number.value - b.number.value) < 0.02 * abs(a.number.value)


def _equal(a: Fact, b: Fact) -> bool:
    return a.number.agrees(b.number) or abs(a.number.value - b.number.value) <= (
        a.number.half + b.number.half
    ) * (1 + 1e-9) * (a.number.half != b.number.half)


def _near(a: Fact, b: Fact) -> bool:
    return mistyped(a.number, b.number)


def _finding(report: Report, group: list[Fact]) -> Finding:
    values: dict[str, list[int]] = {}
    for f in group:
        values.setdefault(f.number.text, []).append(f.line)
    f = group[0]
    at = [f"{x}（{'、'.join(map(str, sorted(set(no))[:6]))} 行）" for x, no in values.items()]
    name = METRICS[f.metric]["name"]
    words = (
        report.say("サイズ", "size"),
        report.say("反復", "step"),
        report.say("ウィンドウ", "window"),
    )
    key = [f.run.replace(" ", report.say(" と ", " and ")) if f.difference else f.run]
    key += [f"{k} {v}" for k, v in zip(words, (f.size, f.step, f.window), strict=True) if v]
    whose = report.say("、", ", ").join(filter(None, key))
    if f.difference:
        what = report.say(f"{name}の差（{whose}）", f"The difference in {name} ({whose})")
    else:
        what = report.say(f"{name}（{whose}）", f"{name} ({whose})")
    english = " and ".join(f"{x} (line {', '.join(map(str, no))})" for x, no in values.items())
    text = report.say(
        f"{what}が{'と'.join(at)}の異なる値で書かれている。", f"{what} is printed as {english}."
    )
    return Finding("二つの値", tuple(sorted({f.line for f in group})), text)
