"""Facts: the numbers of tables and traces, each with the whole key of what it is said of."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from fpcore.claims.document import CodeLine, Report
from fpcore.claims.grid import Grid, Place
from fpcore.claims.labels import Label, read_label, united
from fpcore.claims.quantities import Number, numbers_in
from fpcore.claims.terms import ALIASES, DIFFERENCE, METRIC, TERMS, column

_PAIR = re.compile(rf"({METRIC.pattern})\s*[=:]\s*(?=[-+]?\d)", re.IGNORECASE)
_DELTA = re.compile(r"[ΔΔ]\s*$")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?|\[[A-Z]{4,8}\]")
_LEADS = re.compile(r"\s*(?:→|->|⇒|=>)")
_NOT_DIFFERENCE = re.compile(
    r"(?:改善|変更|変化|増加|削減|短縮)[前後]|残差|偏差|誤差|較差|交差|時差|比較的|対比|構成比"
    r"|相対残差|平均倍率|変化点|変化なし"
)
_SPANS = ("alpha", "r_squared")  # one value for all sizes together


@dataclass(frozen=True)
class Fact:
    """A number and its key: metric, words (all that is not known), size, step and window.

    `notes` are what brackets and further columns add; `source` tells tables and traces apart.
    """

    metric: str
    words: frozenset[str]
    number: Number
    line: int
    size: int | None = None
    step: int | None = None
    window: str | None = None
    notes: frozenset[str] = frozenset()
    source: int = 0
    end: bool = False
    difference: bool = False
    above: frozenset[str] = frozenset()

    @property
    def run(self) -> str:
        """Return the words as one name, empty where there is none."""
        return " ".join(sorted(self.words | self.above))

    @property
    def key(self) -> tuple[object, ...]:
        """Return all that two values of one quantity have in common."""
        what = (self.metric, self.words | self.above, self.size, self.step, self.window)
        return (*what, self.number.unit, self.difference)


@dataclass(frozen=True)
class Roles:
    """What the columns of a table hold: keys, values and differences, by their place."""

    keys: tuple[int, ...]
    values: tuple[int, ...]
    differences: tuple[int, ...]


@lru_cache(maxsize=50_000)
def is_difference(title: str) -> bool:
    """Say whether a head or row is one of differences, ratios or relative changes."""
    bare = _NOT_DIFFERENCE.sub(" ", re.sub(r"\(.*?\)", "", title)).strip()
    found = list(DIFFERENCE.finditer(bare))
    edge = any(m.start() == 0 or m.end() == len(bare) for m in found)
    return bool(edge or re.search(r"(?i)\bvs\.?\s|^対|に対する", bare))


def roles(grid: Grid) -> Roles:
    """Return what each column holds; a column of numbers whose head is unknown is a key."""
    keys, values, differences = [], [], []
    for j, head in enumerate(grid.heads):
        kind, label = column(head.text), read_label(head.text)
        numeric = sum(row[j].number is not None for row in grid.rows) * 2 > len(grid.rows)
        if kind in ("note",):
            continue
        if j and not kind and is_difference(head.text):
            differences.append(j)
        elif (
            numeric and label.metric and not kind and label.metric not in ("tokens", "parameters")
        ) or (numeric and j and not kind and _metric_rows(grid)):
            values.append(j)
        else:
            keys.append(j)
    return Roles(tuple(keys), tuple(values), tuple(differences))


def _metric_rows(grid: Grid) -> bool:
    """Say whether the first column names metrics."""
    named = sum(bool(read_label(row[0].text).metric) for row in grid.rows)
    return column(grid.heads[0].text) == "metric" or named * 2 > len(grid.rows)


@lru_cache(maxsize=10_000)
def place_label(place: Place) -> Label:
    """Return what the headings (but for the title of the document) and the label say."""
    titles = place.titles[1:] if len(place.titles) > 1 else ()
    parts = [read_label(t, heading=True) for t in (place.label, *reversed(titles))]
    return united(parts)


def grid_facts(grid: Grid) -> Iterator[Fact]:
    """Yield the values of a table whose metric is known."""
    role = roles(grid)
    above = place_label(grid.place)
    constant = {
        j for j in role.keys if len(grid.rows) > 1 and len({r[j].text for r in grid.rows}) == 1
    }
    facts: list[Fact] = []
    for i, row in enumerate(grid.rows):
        own = _row_label(grid, role, i, constant)
        for j in (*role.values, *role.differences):
            head, n = read_label(grid.heads[j].text), grid.number(i, j)
            if j in role.differences:
                facts += _difference(grid, role, i, j, own, above)
            elif n and not row[j].number.ranged:  # type: ignore[union-attr]
                facts.append(_fact(united([head, own]), above, n, row[j].line, grid.index))
    yield from _unique(facts)


def _fact(own: Label, above: Label, n: Number, line: int, source: int) -> Fact:
    label = united([own, above])
    size = None if label.metric in _SPANS else label.size
    return Fact(
        label.metric, own.words, n, line, size, label.step, label.window or None, label.notes,
        source, above=above.words,
    )  # fmt: skip


def _row_label(grid: Grid, role: Roles, i: int, constant: set[int]) -> Label:
    """Return what the key columns say of a row; constant and numeric ones are notes."""
    parts = []
    for j in role.keys:
        cell, kind = grid.rows[i][j], column(grid.heads[j].text)
        tag = grid.heads[j].text.lower()
        if kind in ("size", "step") and cell.number and cell.text[0].isdigit():
            value = int(cell.number.value)
            parts.append(Label(size=value) if kind == "size" else Label(step=value))
        elif j in constant or (cell.number and not kind and j):
            parts.append(Label(notes=frozenset({f"{tag}={cell.text}"})))
        elif cell.number and not (j == 0 and kind in ("window", "metric")):
            parts.append(Label(words=frozenset({f"{tag}={cell.text}"})))
        else:
            parts.append(read_label(cell.text))
    return united(parts)


def _unique(facts: list[Fact]) -> Iterator[Fact]:
    """Yield the facts with a key of their own; where notes alone tell them apart, with these."""
    count = Counter(f.key for f in facts)
    noted = Counter((f.key, f.notes) for f in facts)
    for f in facts:
        if f.metric and count[f.key] == 1:
            yield f
        elif f.metric and noted[f.key, f.notes] == 1:
            yield replace(f, words=f.words | f.notes)


def _difference(
    grid: Grid, role: Roles, i: int, j: int, row: Label, above: Label
) -> Iterator[Fact]:
    """Yield the parts of a difference of the two columns before it, as facts of both."""
    if j < 2 or (j - 1) not in role.values or (j - 2) not in role.values:
        return
    a, b = (read_label(grid.heads[k].text) for k in (j - 2, j - 1))
    metric = b.metric or a.metric or row.metric
    if not metric or a.words == b.words:
        return
    own = replace(row, metric=metric, words=a.words | b.words | row.words)
    for n in grid.rows[i][j].numbers:
        fact = _fact(own, above, n, grid.rows[i][j].line, grid.index)
        yield replace(fact, difference=True)


def trace_facts(lines: list[CodeLine], source: int) -> Iterator[Fact]:
    """Yield the values of a trace: `Iter 30: conv=25%, loss=-0.44`, and its end without a step."""
    facts = [f for line in lines for f in pair_facts(line.text, line.line, line.place, source)]
    count = Counter(f.key for f in facts)
    facts = [f for f in facts if count[f.key] == 1 and not (f.words & {"best", "final"})]
    yield from facts
    last: dict[tuple[object, ...], Fact] = {}
    for f in facts:
        if f.step is not None:
            held = last.get((f.metric, f.words))
            if held is None or (held.step or 0) < f.step:
                last[f.metric, f.words] = f
    for f in last.values():
        yield replace(f, step=None, end=True)


def pair_facts(text: str, line: int, place: Place, source: int) -> Iterator[Fact]:
    """Yield the values of `metric = number` pairs; a window or size named before them holds."""
    found = list(_PAIR.finditer(text))
    if not found:
        return
    head = read_label(_STAMP.sub(" ", text[: found[0].start()]))
    above = place_label(place)
    for m, after in zip(found, [*found[1:], None], strict=True):
        until = after.start() if after else len(text)
        numbers = [n for n in numbers_in(text) if m.end() <= n.start < until]
        if not numbers or numbers[0].start - m.end() > 1 or numbers[0].ranged:
            continue
        if _DELTA.search(text[: m.start()]) or _LEADS.match(text, numbers[0].end):
            continue
        before = text[: m.start()]
        own = replace(head, metric=ALIASES[m[1].lower()], words=head.words | _last_word(before))
        yield _fact(own, above, numbers[0], line, source)


def _last_word(before: str) -> frozenset[str]:
    m = re.search(r"([A-Za-z][A-Za-z0-9]*)[\s_-]+$", before)
    word = m[1].lower() if m else ""
    return frozenset({word}) if word in {w.lower() for w in TERMS["qualifiers"]} else frozenset()


def read_facts(report: Report) -> list[Fact]:
    """Return all facts of tables, traces and `metric = value` lines."""
    facts = [f for grid in report.grids for f in grid_facts(grid)]
    for block, lines in groupby(report.code, lambda c: c.block):
        facts += trace_facts(list(lines), -block)
    lists: dict[Place, list[Fact]] = defaultdict(list)
    for s in report.sentences:
        if "=" in s.text and not s.title:
            lists[s.place] += pair_facts(s.text, s.line, s.place, -(10**6) - s.line)
    return facts + [f for found in lists.values() for f in found]
