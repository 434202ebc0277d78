"""Check a Markdown report against itself: its differences, its direction words, its numbers.

It knows words (`terms.yaml`) but no number: a printed number stands for the interval that its
rounding allows, and a finding is only what no reading of the report allows.
"""

import math
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, groupby, pairwise
from pathlib import Path
from typing import Any

import yaml

from fpcore.errors import FpcoreError

TERMS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("terms.yaml").read_text("utf-8"))
METRICS: dict[str, dict[str, Any]] = TERMS["metrics"]
EPS = 1e-9


class ClaimsError(FpcoreError):
    """A report cannot be read."""


@dataclass(frozen=True)
class Finding:
    """A slip: the rule, its line or lines (from 1), and a Japanese sentence with the evidence."""

    rule: str
    line: int | tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Number:
    """A printed number in base units, and half a unit of its last digit."""

    value: float
    half: float
    unit: str
    text: str
    start: int = 0
    end: int = 0
    factor: float = 1

    def agrees(self, other: "Number") -> bool:
        """Say whether both may be roundings of one value; touching intervals do not count."""
        near = abs(self.value - other.value) < self.half + other.half - EPS
        return self.unit == other.unit and (near or self.value == other.value)


@dataclass(frozen=True)
class Fact:
    """A number and the quantity it is said of. Size None: unsaid; step and window None: overall."""

    metric: str
    run: str
    number: Number
    line: int
    size: int | None = None
    step: int | None = None
    window: str | None = None
    seed: str | None = None


@dataclass(frozen=True)
class Line:
    """A line without emphasis (NFKC), and the run and size that the headings above it name."""

    no: int
    text: str
    kind: str
    block: int
    exact: bool = False
    run: str | None = None
    size: int | None = None


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("−–‐", "---"))
    return re.sub(r"[*`]", "", text)


def _words(words: Iterable[str]) -> re.Pattern[str]:
    """Compile words, the longest first; Latin ones match as whole words only."""
    parts = []
    for word in sorted(map(_plain, words), key=len, reverse=True):
        before = r"(?<![A-Za-z0-9_.-])" if re.match(r"\w", word, re.ASCII) else ""
        after = r"(?![A-Za-z0-9_])" if re.search(r"\w$", word, re.ASCII) else ""
        parts.append(before + re.escape(word) + after)
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)


def _index(table: dict[str, list[str]]) -> dict[str, str]:
    return {_plain(alias).lower(): name for name, aliases in table.items() for alias in aliases}


ALIASES = _index({name: terms["aliases"] for name, terms in METRICS.items()})
COLUMNS, SENSES = _index(TERMS["columns"]), _index(TERMS["words"])
METRIC, WORD, COLUMN = _words(ALIASES), _words(SENSES), _words([*ALIASES, *COLUMNS])
DIFFERENCE, OVERALL = _words(TERMS["differences"]), _words(TERMS["overall"])
_ABOUT, _COUNTERS = ("|".join(map(re.escape, TERMS[k])) for k in ("approximate", "counters"))
_STEPS = "|".join(map(re.escape, TERMS["columns"]["step"]))
_UNITS = "|".join(map(re.escape, sorted(TERMS["units"], key=len, reverse=True)))
NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_.])(?<![\d%]-)([+±-]?\d++(?:,\d{{3}})*+(?:\.(\d++))?+)"
    rf"(?:\s*({_UNITS}))?(?![A-Za-z_]|\.\d|[-~]\d)"
)
SIZE = re.compile(rf"(\d+)\s*(?:{_COUNTERS})", re.IGNORECASE)
STEP = re.compile(rf"\b(?:{_STEPS})\s*(\d+)|(\d+)\s*(?:{_STEPS})(?:目|時)", re.IGNORECASE)
WINDOW = re.compile(r"(\d+)\s*[-~]\s*(\d+)|(?:window|ウィンドウ|窓)\s*(\d+)", re.IGNORECASE)
ARROW = re.compile(r"\s*(?:(→|⇒|->|=>|から)|vs\.?|対)\s*", re.IGNORECASE)
LEVEL_ENDS = re.compile(r"\s*(?:$|[)、,;とがは]|で(?!の)|に(?!比)|まで|へ|だ)")
NEGATED = re.compile(r".{0,5}?(?:ない|ません|なかった|せず|\bnot\b)")
REFERRED = re.compile(r"\s*(?:の[^、]{0,20})?(?:より|に比|と比|に対)")


def _numbers(text: str) -> list[Number]:
    found = []
    for m in NUMBER.finditer(text):
        factor, unit = TERMS["units"].get(m[3], (1, ""))
        value, half = float(m[1].replace(",", "").lstrip("±")), 10 ** -len(m[2] or "") / 2
        found.append(Number(value * factor, half * factor, unit, m[0].strip(), *m.span(), factor))
    return found


def _only(text: str) -> Number | None:
    """Return the number that a table cell begins with, where it is one."""
    found = _numbers(text)
    return found[0] if found and not text[: found[0].start].strip() else None


def _metric(text: str, place: int = 0) -> str | None:
    """Return the metric that a text names first, or last (place -1)."""
    found = METRIC.findall(text)
    return ALIASES[found[place].lower()] if found else None


def _mention(pattern: re.Pattern[str], text: str) -> int | None:
    m = pattern.search(text)
    return int(next(filter(None, m.groups()))) if m else None


def _window(text: str) -> str | None:
    """Return a key for the window of sizes that a text names; None is the overall fit."""
    m = None if OVERALL.search(text) else WINDOW.search(text)
    return "-".join(filter(None, m.groups())) if m else None


def _column(title: str) -> str:
    """Return what kind of key a column holds, from its title; empty where it holds values."""
    return COLUMNS.get(re.sub(r"\(.*\)", "", title).strip().lower(), "")


def _cells(line: Line) -> list[str]:
    return [cell.strip() for cell in line.text.strip().strip("|").split("|")]


def _lines(text: str) -> list[Line]:
    """Sort lines into headings, labels, tables, code and text; a change starts a new block."""
    lines: list[Line] = []
    fenced, block, last = False, 0, ""
    for no, raw in enumerate(text.splitlines(), 1):
        fence = raw.lstrip().startswith("```")
        fenced ^= fence
        kind = "blank" if fence or not raw.strip() else "code" if fenced else "text"
        if kind == "text" and re.match(r"\s*(#|\*\*[^*]+\*\*\s*[::]?|[^|。]*[::]\s*$)", raw):
            kind = "heading"
        kind = "table" if kind == "text" and raw.lstrip().startswith("|") else kind
        block, last = block + (kind != last), kind
        lines.append(Line(no, _plain(raw), kind, block, "`" in raw))
    return lines


def _tables(lines: list[Line]) -> list[list[Line]]:
    """Return the tables: the head, then the rows, without the rule between them."""
    tables = [list(g) for _, g in groupby(lines, lambda x: (x.kind, x.block))]
    return [[t[0], *t[2:]] for t in tables if t[0].kind == "table" and len(t) > 2]


def _run_names(lines: list[Line]) -> list[str]:
    """Return the names of the runs, in the order in which tables (or the title) set them."""
    names: list[str] = []
    for head, *rows in _tables(lines):
        cells = _cells(head)
        ends = [i for i, cell in enumerate(cells) if DIFFERENCE.fullmatch(cell)]
        names += [re.sub(r"\(.*?\)", "", METRIC.sub("", c)) for i in ends for c in cells[i - 2 : i]]
        if _column(cells[0]) == "run":
            names += [re.sub(r"\(.*?\)", "", _cells(row)[0]) for row in rows]
    for line in lines if not names else []:
        m = re.match(r"#.*?(\S+) vs\.? (\S+)", line.text)
        names += m.groups() if m else []
    return list(dict.fromkeys(filter(None, map(str.strip, names))))


def _context(lines: list[Line], run: re.Pattern[str]) -> list[Line]:
    """Give each line the run and size that its headings and labels name, the nearest first."""
    said: dict[int, tuple[str | None, int | None]] = {}
    placed = []
    for line in lines:
        if line.kind == "heading":
            level = len(re.match(r"#*", line.text)[0]) or 7  # type: ignore[index]
            said = {k: v for k, v in said.items() if k < level}
            runs = set(run.findall(line.text))
            said[level] = (runs.pop() if len(runs) == 1 else None, _mention(SIZE, line.text))
        values = [said[k] for k in sorted(said, reverse=True)]
        run_name = next((v[0] for v in values if v[0] is not None), None)
        size = next((v[1] for v in values if v[1] is not None), None)
        placed.append(replace(line, run=run_name, size=size))
    return placed


@dataclass(frozen=True)
class Report:
    """What the rules work on: the lines, the runs in their order, and all that tables say."""

    lines: list[Line]
    runs: list[str]
    run: re.Pattern[str]

    def name(self, text: str) -> str | None:
        """Return the run that a text names, where it is exactly one."""
        names = set(self.run.findall(text))
        return names.pop() if len(names) == 1 else None


def _difference(a: str, b: str) -> str:
    return f"{b} − {a}"


def _row(head: list[str], cells: list[str], line: Line, report: Report) -> Fact:
    """Return a fact without a number: what the row and the headings say of the quantity."""
    keys = {_column(h): c for h, c in reversed(list(zip(head, cells, strict=False)))}
    size, step = _numbers(keys.get("size", "")), _numbers(keys.get("step", ""))
    first = cells[0]
    return Fact(
        metric=_metric(first) or "",
        run=report.name(keys.get("run", first)) or line.run or "",
        number=Number(0, 0, "", ""),
        line=line.no,
        size=int(size[0].value) if size else _mention(SIZE, first) or line.size,
        step=int(step[0].value) if step else None,
        window=_window(first) if "window" in keys else None,
        seed=keys.get("seed"),
    )


def _row_facts(head: list[str], cells: list[str], line: Line, report: Report) -> Iterator[Fact]:
    base = _row(head, cells, line, report)
    for title, cell in zip(head, cells, strict=False):
        metric, run = _metric(title) or base.metric, report.name(title) or base.run
        number = None if _column(title) or DIFFERENCE.fullmatch(title) else _only(cell)
        if metric and run and number:
            yield replace(base, metric=metric, run=run, number=number)


def _key_values(line: Line, report: Report, run: str) -> Iterator[Fact]:
    """Read `α = -1, R² = 1` and trace lines; a window holds until the next one is named."""
    step, window, end = _mention(STEP, line.text) if line.kind == "code" else None, None, 0
    for m in re.finditer(rf"({METRIC.pattern})\s*=\s*", line.text, re.IGNORECASE):
        window, number = _window(line.text[end : m.start()]) or window, _only(line.text[m.end() :])
        end, metric = m.end(), ALIASES[m[1].lower()]
        if number and not line.text[: m.start()].endswith("Δ"):
            yield Fact(metric, run, number, line.no, line.size, step, window)


def _code_facts(block: list[Line], report: Report) -> Iterator[Fact]:
    """Read raw data (a head of column names, then rows) or a trace (one iteration a line)."""
    title = re.compile(rf"{COLUMN.pattern}|\S+", re.IGNORECASE)
    head = title.findall(block[0].text)
    for line in block:
        cells, run = line.text.split(), report.name(line.text) or line.run
        if len(cells) == len(head) and "=" not in line.text and line is not block[0]:
            yield from _row_facts(head, cells, line, report)
        elif run:
            yield from _key_values(line, report, run)


def _ended(facts: list[Fact]) -> list[Fact]:
    """Add the end of each trace as the value without an iteration; one seed is no distinction."""
    ends: dict[tuple[object, ...], Fact] = {}
    if len({f.seed for f in facts}) == 1:
        facts = [replace(f, seed=None) for f in facts]
    for f in sorted((f for f in facts if f.step is not None), key=lambda f: f.step or 0):
        ends[f.metric, f.run, f.size, f.seed] = replace(f, step=None)
    return facts + list(ends.values())


def _facts(report: Report) -> list[Fact]:
    """Return all that tables, raw data, traces and `key = value` lines say of the runs."""
    facts: list[Fact] = []
    for head, *rows in _tables(report.lines):
        found = [f for row in rows for f in _row_facts(_cells(head), _cells(row), row, report)]
        facts += _ended(found)
    for _, group in groupby(report.lines, lambda x: (x.kind, x.block)):
        block = list(group)
        if block[0].kind == "code":
            facts += _ended(list(_code_facts(block, report)))
        for line in block if block[0].kind == "text" else []:
            facts += _key_values(line, report, report.name(line.text) or line.run or "")
    return [f for f in facts if f.run]


def _readings(a: Number, b: Number, exact: bool) -> dict[str, tuple[float, float]]:
    """Return the intervals of b − a (in the unit of both) and of the relative change in %."""
    ha, hb = (0.0, 0.0) if exact else (a.half, b.half)
    change = b.value - a.value
    found = {a.unit: (change - ha - hb, change + ha + hb)} if a.unit == b.unit else {}
    ratios = [-math.inf, math.inf]
    if abs(a.value) > ha:
        starts, ends = (a.value - ha, a.value + ha), (b.value - hb, b.value + hb)
        ratios = [(y - x) / abs(x) * 100 for x in starts for y in ends]
    found["%rel"] = (min(ratios), max(ratios))
    return found


def _reading(a: Number, b: Number, d: Number, exact: bool = False) -> Number | None:
    """Return a difference with the unit under which it fits b − a, or None where none does.

    What cannot be compared, as minutes with a share, is left as it is.
    """
    if a.unit != b.unit or (a.unit and d.unit not in ("", "%", a.unit)):
        return d
    if d.unit not in ("", "%") and not a.unit:
        d = replace(d, unit="", value=d.value / d.factor, half=d.half / d.factor)
    elif not d.unit and a.unit:
        d = replace(d, unit=a.unit, value=d.value * a.factor, half=d.half * a.factor)
    for unit, (low, high) in _readings(a, b, exact).items():
        values = [d.value] if d.text[0] in "+-" else [d.value, -d.value]
        near = any(low - d.half - EPS <= v <= high + d.half + EPS for v in values)
        if near and unit.removesuffix("rel") == d.unit:
            return replace(d, unit=unit)
    return None


def _shown(value: float, like: Number) -> str:
    digits = len(like.text.partition(".")[2].rstrip("%").rstrip("".join(TERMS["units"])))
    return f"{value / like.factor:+,.{digits}f}{like.text.lstrip('+-±0123456789.,').strip()}"


def _misfit(line: int, what: str, a: Number, b: Number, d: Number) -> Finding:
    """Say that a printed difference does not follow from its two numbers."""
    relative = d.unit == "%" != a.unit
    value = (b.value - a.value) / (abs(a.value) / 100 if relative else 1)
    due = _shown(value, d) if d.unit or not a.unit else _shown(value / a.factor, d)
    text = f"{line} 行: {what}の差 {d.text} は {a.text} から {b.text} への変化（{due}）と合わない。"
    return Finding("算術", line, text)


def _differences(report: Report) -> tuple[list[Finding], list[Fact]]:
    """Check each difference column; return the slips, and the differences that are right."""
    findings: list[Finding] = []
    facts: list[Fact] = []
    for head, *rows in _tables(report.lines):
        titles = _cells(head)
        for j in (j for j, t in enumerate(titles) if j > 1 and DIFFERENCE.fullmatch(t)):
            names = [report.name(t) for t in titles[j - 2 : j]]
            for row in (r for r in rows if len(_cells(r)) > j):
                wrong, right = _cell_difference(titles, row, j, report)
                findings += wrong[:1]
                base = _row(titles, _cells(row), row, report)
                metric = _metric(titles[j - 1]) or base.metric
                if names[0] and names[1] and metric:
                    run = _difference(names[0], names[1])
                    facts += [replace(base, metric=metric, run=run, number=d) for d in right]
    return findings, facts


def _cell_difference(
    titles: list[str], row: Line, j: int, report: Report
) -> tuple[list[Finding], list[Number]]:
    cells = _cells(row)
    a, b = _only(cells[j - 2]), _only(cells[j - 1])
    if not a or not b:
        return [], []
    exact = titles[j].lower() in TERMS["exact"] or row.exact
    parts = [(d, _reading(a, b, d, exact)) for d in _numbers(cells[j])]
    what = f"「{cells[0]}」"
    return [_misfit(row.no, what, a, b, d) for d, fit in parts if not fit], [
        fit for _, fit in parts if fit
    ]


def _windows(report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check Δ lines: last window less first window of the run, and its share of the first."""
    delta = re.compile(rf"Δ\s*({METRIC.pattern})\s*=\s*([^()]*)(?:\(([^()]*)\))?", re.IGNORECASE)
    for line in report.lines:
        for m in delta.finditer(line.text):
            run = report.name(line.text[: m.start()]) or line.run
            near = [
                f
                for f in facts
                if f.run == run
                and f.metric == ALIASES[m[1].lower()]
                and f.window
                and f.line <= line.no
            ]
            sliding = _sliding(near)
            for d in [*_numbers(m[2]), *_numbers(m[3] or "")] if len(sliding) > 1 else []:
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


@dataclass(frozen=True)
class Pair:
    """「A→B」 (arrow), or two numbers that are compared, that of the subject first."""

    first: Number
    second: Number
    arrow: bool

    @property
    def text(self) -> str:
        """Return the pair as findings quote it."""
        return f"{self.first.text}{'→' if self.arrow else ' vs '}{self.second.text}"


@dataclass(frozen=True)
class Sentence:
    """A sentence, its pairs and its other numbers, and the run that is its subject."""

    line: Line
    text: str
    pairs: list[Pair]
    singles: list[Number]
    subject: str | None

    def metric(self, number: Number) -> str | None:
        """Return the metric that is named last before a number, or else first behind it."""
        return _metric(self.text[: number.start], -1) or _metric(self.text[number.end :])


def _sentences(report: Report) -> Iterator[Sentence]:
    for line in report.lines:
        for text in line.text.split("。") if line.kind in ("text", "heading") else []:
            masked = report.run.sub(lambda m: "＊" * len(m[0]), text)
            numbers = _numbers(masked)
            pairs = [
                Pair(replace(a, unit=a.unit or b.unit), b, bool(m[1]))
                for a, b in pairwise(numbers)
                if (m := ARROW.fullmatch(masked, a.end, b.start))
            ]
            paired = {n.start for p in pairs for n in (p.first, p.second)}
            singles = [n for n in numbers if n.start not in paired]
            names = {m[0] for m in report.run.finditer(text) if not REFERRED.match(text, m.end())}
            subject = names.pop() if len(names) == 1 else None
            yield Sentence(line, text, pairs + _compared(text, singles), singles, subject)


def _compared(text: str, singles: list[Number]) -> list[Pair]:
    """Read 「A は B より…」 and 「B より A の方が…」: two values, one of them the reference."""
    ends = [n for n in singles if LEVEL_ENDS.match(text, n.end) or REFERRED.match(text, n.end)]
    levels = {n.start: METRICS.get(_metric(text[: n.start], -1) or "", {}) for n in ends}
    found = [n for n in ends if n.text[0] not in "+-±" or levels[n.start].get("signed")]
    reference = [n for n in found if REFERRED.match(text, n.end)]
    if len(found) != 2 or len(reference) != 1 or found[0].unit != found[1].unit:
        return []
    return [Pair(next(n for n in found if n not in reference), reference[0], False)]


def _word(s: Sentence, first: Number, last: Number) -> tuple[str, str] | None:
    """Return the direction word of a number or pair and its sense; None if denied or missing."""
    text, opened = s.text, s.text.rfind("(", 0, first.start)
    inside = opened > text.rfind(")", 0, first.start)
    anchor = opened if inside else first.start
    left = max(text.rfind("、", 0, anchor) + 1, *(n.end for n in _ends(s, anchor)))
    stops = [text.find("、", last.end), *(m.start() for m in METRIC.finditer(text, last.end))]
    right = min((i for i in stops if i >= 0), default=len(text))
    before = list(WORD.finditer(text, left, anchor))[-1:]
    after = list(WORD.finditer(text, last.end, right))[:1]
    found = (before or after) if inside else (after or before)
    if not found or NEGATED.match(text, found[0].end()):
        return None
    return found[0][0], SENSES[found[0][0].lower()]


def _ends(s: Sentence, anchor: int) -> list[Number]:
    zero = Number(0, 0, "", "")
    return [zero, *(p.second for p in s.pairs if p.second.end <= anchor)]


def _sign(sense: str, metric: str | None) -> int:
    """Return the sign of the change that a word claims; 0 where it claims none."""
    terms = METRICS.get(metric or "", {})
    better = {"higher": 1, "lower": -1}.get(terms.get("better", ""), 0)
    plain = 0 if terms.get("magnitude") else 1
    signs = {"up": plain, "down": -plain, "better": better, "worse": -better}
    return signs.get(sense, {"steeper": -1, "flatter": 1}.get(sense, 0))


def _family(metric: str) -> list[str]:
    """Return the metrics that a name may mean; those that it stands for come first."""
    return [*METRICS[metric].get("includes", []), metric]


def _said(facts: list[Fact], s: Sentence, metric: str, run: str | None = None) -> list[Fact]:
    """Return the facts that a sentence may speak of: its metric, size, iteration and window."""
    size, step, window = _mention(SIZE, s.text) or s.line.size, _mention(STEP, s.text), None
    window = _window(s.text) if re.search("|".join(TERMS["columns"]["window"]), s.text) else None
    found = [
        f
        for f in facts
        if f.metric in _family(metric)
        and run in (None, f.run)
        and (size is None or f.size in (None, size))
        and window in (None, f.window)
    ]
    return [f for f in found if f.step == step] if step is not None else found


def _subject_first(pair: Pair, s: Sentence, metric: str | None, facts: list[Fact]) -> Pair:
    """Put the subject's number first: whose each number is, tables know better than the order."""
    if pair.arrow or not metric or not s.subject:
        return pair
    known = _said(facts, s, metric)
    a, b = ({f.run for f in known if f.number.agrees(n)} for n in (pair.first, pair.second))
    swapped = s.subject in b and s.subject not in a and a
    return replace(pair, first=pair.second, second=pair.first) if swapped else pair


def _directions(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Compare each direction word with the order of the pair, or with the sign, beside it."""
    for printed in s.pairs:
        metric = s.metric(min(printed.first, printed.second, key=lambda n: n.start))
        start, end = sorted((printed.first, printed.second), key=lambda n: n.start)
        word = _word(s, start, end)
        pair = _subject_first(printed, s, metric, facts)
        change = (pair.second.value - pair.first.value) * (1 if pair.arrow else -1)
        if word and change * _sign(word[1], metric) < 0:
            yield _contradiction(s, word[0], metric, pair, facts)
    for n in _signed(s, report):
        metric, word = s.metric(n), _word(s, n, n)
        if word and n.value * _sign(word[1], metric) < 0 and not _follows(s, n):
            name = METRICS[metric or ""]["name"]
            yield Finding(
                "方向",
                s.line.no,
                f"{s.line.no} 行: {name}の「{word[0]}」は、そばの {n.text} の符号と合わない。",
            )


def _contradiction(
    s: Sentence, word: str, metric: str | None, pair: Pair, facts: list[Fact]
) -> Finding:
    relation = "大きい" if pair.first.value > pair.second.value else "小さい"
    known = _said(facts, s, metric) if metric else []
    whose = [
        f"{n.text} は {f.run} の値（{f.line} 行）"
        for n in (pair.first, pair.second)
        for f in [f for f in known if f.number.agrees(n)][:1]
    ]
    what = f"{METRICS[metric]['name']}の" if metric else ""
    text = (
        f"{s.line.no} 行: {what}「{word}」は数値と逆である（{pair.text}: "
        f"{pair.first.text} は {pair.second.text} より{relation}）"
    )
    return Finding("方向", s.line.no, text + "".join(f"。{w}" for w in whose) + "。")


def _follows(s: Sentence, n: Number) -> Pair | None:
    """Return the arrow pair that a difference belongs to: the last one before it, if near."""
    for pair in reversed([p for p in s.pairs if p.arrow and p.second.end <= n.start]):
        between = s.text[pair.second.end : n.start]
        return None if METRIC.search(between) or "、" in between.split("(")[0] else pair
    return None


def _signed(s: Sentence, report: Report) -> list[Number]:
    """Return the differences of a sentence between the runs, told by their sign."""
    found = []
    for n in s.singles:
        metric = s.metric(n)
        level = n.text[0] == "-" and METRICS.get(metric or "", {}).get("signed")
        rate = s.text[n.end : n.end + 1] == "/"
        delta = "Δ" in s.text[: n.start] or s.subject == report.runs[0]
        if metric and n.text[0] in "+-" and not (level or rate or delta):
            found.append(n)
    return found


def _statement_differences(
    s: Sentence, report: Report, facts: list[Fact]
) -> tuple[list[Finding], list[Fact]]:
    """Check 「A→B（+x%）」, and return the differences that a sentence gives between the runs."""
    findings, found = [], []
    for n in _signed(s, report):
        metric, pair = s.metric(n) or "", _follows(s, n)
        fit = _reading(pair.first, pair.second, n) if pair else _free_reading(s, n, report, facts)
        if pair and not fit:
            findings.append(_misfit(s.line.no, f"「{pair.text}」", pair.first, pair.second, n))
        elif fit and (not pair or _across(pair, s, report, facts, metric)):
            found.append(_fact(s, metric, _difference(*report.runs[:2]), fit))
    return findings, found


def _free_reading(s: Sentence, n: Number, report: Report, facts: list[Fact]) -> Number:
    """Read a difference that stands alone: % of what is not in % is relative."""
    metric = s.metric(n) or ""
    a, b = ([f for f in _said(facts, s, metric, r) if f.step is None] for r in report.runs[:2])
    fits = [
        _reading(x.number, y.number, n)
        for x in a
        for y in b
        if (x.metric, x.size, x.window) == (y.metric, y.size, y.window)
    ]
    points = any(f.number.unit == "%" for f in a + b)
    read = [fit.unit for fit in fits if fit]
    relative = n.unit == "%" and not (points and ("%" in read or "%rel" not in read))
    return replace(n, unit="%rel") if relative else n


def _fact(s: Sentence, metric: str, run: str, number: Number) -> Fact:
    size, step = _mention(SIZE, s.text) or s.line.size, _mention(STEP, s.text)
    return Fact(metric, run, number, s.line.no, size, step)


def _across(pair: Pair, s: Sentence, report: Report, facts: list[Fact], metric: str) -> bool:
    """Say whether 「A→B」 leads from the first run to the second, by their values at the end."""
    return all(
        any(f.run == run and f.step is None and f.number.agrees(n) for f in known)
        or not any(f.number.agrees(n) for f in known)
        for known in [_said(facts, s, metric)]
        for run, n in zip(report.runs[:2], (pair.first, pair.second), strict=True)
    )


def _attributions(
    s: Sentence, report: Report, facts: list[Fact]
) -> tuple[list[Finding], list[Fact]]:
    """Check whose the numbers of a pair are; what names no run leads from the first to the second.

    Only a quantity with a trace can go from A to B within one run.
    """
    findings: list[Finding] = []
    found: list[Fact] = []
    for pair in s.pairs:
        metric = s.metric(min(pair.first, pair.second, key=lambda n: n.start))
        known = _said(facts, s, metric) if metric else []
        own = [f for f in known if f.run == s.subject]
        if pair.arrow and any(f.step is not None for f in own):
            findings += _foreign(s, pair, own, known)
        elif metric and known and _across(pair, s, report, facts, metric) and pair.arrow:
            values = zip(report.runs[:2], (pair.first, pair.second), strict=True)
            found += [_fact(s, metric, run, n) for run, n in values]
        elif metric and not pair.arrow:
            findings += _unknown(s, pair, known)
    return findings, found


def _foreign(s: Sentence, pair: Pair, own: list[Fact], known: list[Fact]) -> Iterator[Finding]:
    for n in (pair.first, pair.second):
        if any(f.number.agrees(n) for f in own):
            continue
        others = [f for f in known if f.number.agrees(n)]
        near = _nearest(n, [f for f in own if others and f.step == others[0].step] or own)
        name = METRICS[near.metric]["name"]
        text = f"{s.line.no} 行: {s.subject} の{name}を「{pair.text}」とするが、{n.text} は"
        text += f" {_where(others[0])}の値で、" if others else "どの値とも合わず、"
        lines = tuple(sorted({s.line.no, near.line, *(f.line for f in others[:1])}))
        yield Finding("二つの値", lines, f"{text}{_where(near)}では {near.number.text} である。")


def _unknown(s: Sentence, pair: Pair, known: list[Fact]) -> Iterator[Finding]:
    for n in (pair.first, pair.second):
        same = [f for f in known if f.number.unit == n.unit]
        if same and not any(f.number.agrees(n) for f in same):
            yield _stranger(s, n, _nearest(n, same))


def _stranger(s: Sentence, n: Number, near: Fact) -> Finding:
    text = (
        f"{s.line.no} 行: {METRICS[near.metric]['name']}の {n.text} は表や推移のどの値とも合わない"
    )
    lines = tuple(sorted({s.line.no, near.line}))
    return Finding("二つの値", lines, f"{text}（近いのは{_where(near)}の {near.number.text}）。")


def _nearest(n: Number, facts: list[Fact]) -> Fact:
    return min(facts, key=lambda f: abs(f.number.value - n.value))


def _where(f: Fact) -> str:
    step = f" の反復 {f.step}" if f.step is not None else ""
    return f"{f.run}{step}（{f.line} 行）"


def _levels(s: Sentence, report: Report, facts: list[Fact]) -> Iterator[Finding]:
    """Check values that are said of the run named last before them (「v は X を 1% まで」)."""
    for n in s.singles:
        runs = report.run.findall(s.text[: n.start])
        metric = _metric(s.text[: n.start], -1)
        vague = re.search(rf"(?:{_ABOUT}|Δ)\s*$", s.text[: n.start])
        if (
            not runs
            or not metric
            or vague
            or n.text[0] == "+"
            or not LEVEL_ENDS.match(s.text, n.end)
        ):
            continue
        known = [f for f in _said(facts, s, metric, runs[-1]) if f.number.unit == n.unit]
        signed = n.text[0] == "-" and not METRICS[metric].get("signed")
        sure = known and not signed and (n.unit or "." in n.text)
        if sure and not any(f.number.agrees(n) for f in known):
            yield _stranger(s, n, _nearest(n, known))


def _conflicts(facts: list[Fact]) -> Iterator[Finding]:
    """Yield one finding for each quantity that is printed with values that cannot both be right."""
    groups: dict[tuple[object, ...], list[Fact]] = defaultdict(list)
    for f in facts:
        metric = _member(f, facts)
        key = (metric, f.run, f.step, f.window, f.seed, f.number.unit)
        groups[key].append(replace(f, metric=metric))
    for group in groups.values():
        clash = sorted(_clash(group), key=lambda f: f.line)
        if clash:
            yield _two_values(clash)


def _member(f: Fact, facts: list[Fact]) -> str:
    """Return which metric a short name means: one whose value agrees, else the first."""
    names = _family(f.metric)
    peers = [g for g in facts if g.metric in names and g.run == f.run and g.step == f.step]
    return next((g.metric for g in peers if g.number.agrees(f.number)), names[0])


def _clash(group: list[Fact]) -> set[Fact]:
    """Return the facts that disagree; one without a size may be of any size that is printed."""
    sized = [f for f in group if f.size is not None]
    loose = [f for f in group if f.size is None]
    pairs = list(combinations(loose, 2)) if not sized else []
    pairs += [(f, g) for f, g in combinations(sized, 2) if f.size == g.size]
    found = {f for pair in pairs if not pair[0].number.agrees(pair[1].number) for f in pair}
    for f in loose if sized else []:
        if not any(f.number.agrees(g.number) for g in sized):
            found |= {f, min(sized, key=lambda g: g.line)}
    return found


def _two_values(clash: list[Fact]) -> Finding:
    lines: dict[str, list[int]] = defaultdict(list)
    for f in clash:
        if f.line not in lines[f.number.text]:
            lines[f.number.text].append(f.line)
    said = "と".join(f"{v}（{'、'.join(map(str, at))} 行）" for v, at in lines.items())
    f = next((f for f in clash if f.size is not None), clash[0])
    where = "".join(
        f"（{label} {value}）"
        for label, value in (("反復", f.step), ("ウィンドウ", f.window), ("サイズ", f.size))
        if value is not None
    )
    text = f"{f.run} の{METRICS[f.metric]['name']}{where}が{said}の異なる値で書かれている。"
    return Finding("二つの値", tuple(sorted({f.line for f in clash})), text)


def read_report(text: str) -> Report:
    """Return the lines of a Markdown report and the runs that it compares."""
    lines = _lines(text)
    runs = _run_names(lines)
    run = _words(runs)
    return Report(_context(lines, run), [*runs, "前", "後"], run)


def check_report(text: str) -> list[Finding]:
    """Return the slips of a report, in the order of their lines."""
    report = read_report(text)
    facts = _facts(report)
    findings, differences = _differences(report)
    findings += _windows(report, facts)
    said: list[Fact] = []
    for s in _sentences(report):
        for check in (_statement_differences, _attributions):
            found, values = check(s, report, facts)
            findings, said = findings + found, said + values
        findings += [*_directions(s, report, facts), *_levels(s, report, facts)]
    findings += _conflicts(facts + differences + said)
    first = {f: f.line if isinstance(f.line, int) else f.line[0] for f in findings}
    return sorted(first, key=lambda f: first[f])


def main(arguments: list[str]) -> int:
    """Print the findings on one file; 0: none, 1: some, 2: the file cannot be read."""
    try:
        findings = check_report(_read(arguments))
    except ClaimsError as error:
        print(error, file=sys.stderr)
        return 2
    for f in findings:
        line = f.line if isinstance(f.line, int) else ",".join(map(str, f.line))
        print(f"{arguments[0]}:{line}: [{f.rule}] {f.text}")
    print(f"指摘 {len(findings)} 件")
    return 1 if findings else 0


def _read(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise ClaimsError("Give one Markdown file: python -m fpcore.claims FILE.")
    try:
        return Path(arguments[0]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimsError(f"Cannot read the report {arguments[0]}: {error}.") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
