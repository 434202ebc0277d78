"""What a Markdown report says of its runs: its numbers, lines, tables and traces, as facts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from fpcore.terms import (
    ALIASES,
    COLUMN,
    DIFFERENCE,
    METRIC,
    SIZE,
    STEP,
    TERMS,
    any_of,
    column,
    mention,
    metric_in,
    number_words,
    plain,
    window_in,
)

EPS = 1e-9
UNIT = rf"(?:\s*({number_words(TERMS['units'])}))?+"
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?<![\d%ト][-~])([+±-]?\d++(?:,\d{3})*+(?:\.(\d++))?+)"
    rf"{UNIT}(?![A-Za-z_]|\.\d|[-~]\d)"
)
# A run stands in the lines as one private character, so that no rule reads its name as words.
RUN = re.compile("[\ue000-\uf8ff]")


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

    @property
    def points(self) -> bool:
        """Say whether it is in percentage points, as only differences of shares are."""
        return self.text.endswith(tuple(TERMS["points"]))

    def agrees(self, other: "Number") -> bool:
        """Say whether both may be roundings of one value; touching intervals do not count."""
        near = abs(self.value - other.value) < self.half + other.half - EPS
        return self.unit == other.unit and (near or self.value == other.value)


def numbers_in(text: str) -> list[Number]:
    """Return the numbers that stand alone in a text, with their units."""
    found = []
    for m in NUMBER.finditer(text):
        factor, unit = TERMS["units"].get(m[3], (1, ""))
        value, half = float(m[1].replace(",", "").lstrip("±")), 10 ** -len(m[2] or "") / 2
        found.append(Number(value * factor, half * factor, unit, m[0].strip(), *m.span(), factor))
    return found


def cell_number(text: str) -> Number | None:
    """Return the number that a table cell begins with, where it is one."""
    found = numbers_in(text)
    return found[0] if found and not text[: found[0].start].strip() else None


@dataclass(frozen=True)
class Line:
    """A line without emphasis (NFKC), and the run and size that the headings above it name.

    Its label is the part that names them for the lines below: all of a heading, or what is bold.
    """

    no: int
    text: str
    kind: str
    label: str = ""
    exact: bool = False
    run: str | None = None
    size: int | None = None


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

    def alike(self, other: "Fact") -> bool:
        """Say whether two facts differ in nothing but their run and value."""
        keys = [(f.metric, f.size, f.step, f.window, f.seed, f.number.unit) for f in (self, other)]
        return keys[0] == keys[1] and self.run != other.run


@dataclass(frozen=True)
class Report:
    """What the rules work on: the lines, and the runs in their order."""

    lines: list[Line]
    runs: list[str]

    def names(self, text: str) -> list[str]:
        """Return the runs that a text names, in its order."""
        return [self.runs[ord(c) - ord("\ue000")] for c in RUN.findall(text)]

    def name(self, text: str) -> str | None:
        """Return the run that a text names, where it is exactly one."""
        names = set(self.names(text))
        return names.pop() if len(names) == 1 else None

    def shown(self, text: str) -> str:
        """Return a text with the names of its runs."""
        return RUN.sub(lambda m: self.names(m[0])[0], text)


def read_report(text: str) -> Report:
    """Return the lines of a Markdown report and the runs that it compares."""
    lines = _own(_lines(text))
    runs = _run_names(lines)
    named = re.compile(rf"(?:{any_of(runs, re.NOFLAG).pattern})(?!\s*=)")  # `x=1` is a metric
    marks = {plain(run): chr(ord("\ue000") + i) for i, run in enumerate(runs)}
    parts = [[named.sub(lambda m: marks[m[0]], t) for t in (x.text, x.label)] for x in lines]
    masked = [replace(x, text=t, label=la) for x, (t, la) in zip(lines, parts, strict=True)]
    report = Report([], [*runs, "前", "後"])
    return replace(report, lines=_context(masked, report))


def cells_of(line: Line) -> list[str]:
    """Return the cells of a line of a table."""
    return [cell.strip() for cell in line.text.strip().strip("|").split("|")]


def _lines(text: str) -> list[Line]:
    """Sort lines into headings, labels, tables, code and text."""
    lines: list[Line] = []
    fenced = False
    for no, raw in enumerate(text.splitlines(), 1):
        fence = raw.lstrip().startswith("```")
        fenced ^= fence
        kind = "blank" if fence or not raw.strip() else "code" if fenced else "text"
        if kind == "text" and re.match(r"\s*(#|\*\*[^*]+\*\*\s*[::]?|[^|。]*[::]\s*$)", raw):
            kind = "heading"
        kind = "table" if kind == "text" and raw.lstrip().startswith("|") else kind
        bold = re.match(r"\s*\*\*([^*]+)\*\*", raw)
        text, label = (RUN.sub("", plain(t)) for t in (raw, bold[1] if bold else raw))
        lines.append(Line(no, text, kind, label, "`" in raw))
    return lines


def _own(lines: list[Line]) -> list[Line]:
    """Set aside the sections that quote another text, by their title."""
    kept: list[Line] = []
    level = 0
    for line in lines:
        m = re.match(r"(#+)\s*(.*?)\s*#*$", line.text) if line.kind == "heading" else None
        if m and (not level or len(m[1]) <= level):
            level = len(m[1]) if m[2] in TERMS["quoting"] else 0
        kept.append(replace(line, kind="quoted") if level else line)
    return kept


def tables_in(lines: list[Line]) -> list[list[Line]]:
    """Return the tables: the head, then the rows, without the rule between them."""
    tables = [list(g) for kind, g in groupby(lines, lambda x: x.kind) if kind == "table"]
    return [[t[0], *t[2:]] for t in tables if len(t) > 2]


def _run_names(lines: list[Line]) -> list[str]:
    """Return the names of the runs, in the order in which tables (or the title) set them."""
    names: list[str] = []
    for head, *rows in tables_in(lines):
        cells = [re.sub(r"\(.*?\)", "", cell).strip() for cell in cells_of(head)]
        ends = [i for i, cell in enumerate(cells) if i > 1 and DIFFERENCE.fullmatch(cell)]
        names += [name for i in ends for name in _heads(cells[i - 2], cells[i - 1])]
        if column(cells[0]) == "run":
            names += [re.sub(r"\(.*?\)", "", cells_of(row)[0]) for row in rows]
    for line in lines if not names else []:
        m = re.match(r"#.*?(\S+) vs\.? (\S+)", line.text)
        names += m.groups() if m else []
    return list(dict.fromkeys(filter(None, map(str.strip, names))))


def _heads(*heads: str) -> list[str]:
    """Return the runs that two heads name: what is left of them without their metrics."""
    for form in (rf"(.+?)\s*(?:\s|の)(?:{METRIC.pattern})", rf"(?:{METRIC.pattern})\s+(.+)"):
        found = [re.fullmatch(form, head, re.IGNORECASE) for head in heads]
        if all(found):
            return [m[1] for m in found if m]
    return [] if all(map(METRIC.fullmatch, heads)) else list(heads)


def _context(lines: list[Line], report: Report) -> list[Line]:
    """Give each line the run and size that its headings and labels name, the nearest first."""
    said: dict[int, tuple[str | None, int | None]] = {}
    placed = []
    for line in lines:
        if line.kind == "heading":
            level = len(re.match(r"#*", line.text)[0]) or 7  # type: ignore[index]
            said = {k: v for k, v in said.items() if k < level}
            said[level] = (report.name(line.label), mention(SIZE, line.label))
        values = [said[k] for k in sorted(said, reverse=True)]
        run_name = next((v[0] for v in values if v[0] is not None), None)
        size = next((v[1] for v in values if v[1] is not None), None)
        placed.append(replace(line, run=run_name, size=size))
    return placed


def row_fact(head: list[str], cells: list[str], line: Line, report: Report) -> Fact:
    """Return a fact without a number: what the row and the headings say of the quantity."""
    keys = {column(h): c for h, c in reversed(list(zip(head, cells, strict=False)))}
    size, step = numbers_in(keys.get("size", "")), numbers_in(keys.get("step", ""))
    first = cells[0]
    return Fact(
        metric=metric_in(first) or "",
        run=report.name(keys.get("run", first)) or line.run or "",
        number=Number(0, 0, "", ""),
        line=line.no,
        size=int(size[0].value) if size else mention(SIZE, first) or line.size,
        step=int(step[0].value) if step else None,
        window=window_in(first) if "window" in keys else None,
        seed=keys.get("seed"),
    )


def _row_facts(head: list[str], cells: list[str], line: Line, report: Report) -> Iterator[Fact]:
    base = row_fact(head, cells, line, report)
    for title, cell in zip(head, cells, strict=False):
        metric, run = metric_in(title) or base.metric, report.name(title) or base.run
        number = None if column(title) or DIFFERENCE.fullmatch(title) else cell_number(cell)
        if metric and run and number:
            size = mention(SIZE, title) or base.size
            yield replace(base, metric=metric, run=run, number=number, size=size)


def _key_values(line: Line, run: str) -> Iterator[Fact]:
    """Read `α = -1, R² = 1` and trace lines; a window holds until the next one is named."""
    step, window, end = mention(STEP, line.text) if line.kind == "code" else None, None, 0
    for m in re.finditer(rf"({METRIC.pattern})\s*=\s*", line.text, re.IGNORECASE):
        window = window_in(line.text[end : m.start()]) or window
        number, metric = cell_number(line.text[m.end() :]), ALIASES[m[1].lower()]
        end = m.end()
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
            yield from _key_values(line, run)


def _ended(facts: list[Fact]) -> list[Fact]:
    """Add the end of each trace as the value without an iteration; one seed is no distinction."""
    ends: dict[tuple[object, ...], Fact] = {}
    if len({f.seed for f in facts}) == 1:
        facts = [replace(f, seed=None) for f in facts]
    for f in sorted((f for f in facts if f.step is not None), key=lambda f: f.step or 0):
        ends[f.metric, f.run, f.size, f.seed] = replace(f, step=None)
    return facts + list(ends.values())


def read_facts(report: Report) -> list[Fact]:
    """Return all that tables, raw data, traces and `key = value` lines say of the runs."""
    facts: list[Fact] = []
    for head, *rows in tables_in(report.lines):
        found = [f for row in rows for f in _row_facts(cells_of(head), cells_of(row), row, report)]
        facts += _ended(found)
    for kind, block in groupby(report.lines, lambda x: x.kind):
        if kind == "code":
            facts += _ended(list(_code_facts(list(block), report)))
        for line in block if kind == "text" else []:
            facts += _key_values(line, report.name(line.text) or line.run or "")
    return [f for f in facts if f.run]
