"""Reports in Markdown: their tables and raw data as `fpcore.claims` reads them, by run."""

import re
from dataclasses import replace
from itertools import groupby

from fpcore.claims import Fact, read_facts, read_report
from fpcore.claims.document import CodeLine, Sentence
from fpcore.claims.facts import place_label
from fpcore.claims.grid import Grid
from fpcore.claims.grid import Place as Section
from fpcore.importing import aligned, fields, logs
from fpcore.importing.fields import KEYS, KNOBS, RESULTS
from fpcore.importing.found import Figure, Found, Place
from fpcore.importing.rows import Line, Table, knob_value, number, read_table
from fpcore.metric import METRICS

# The fields by the names that claims have for their metrics.
FACTS = {METRICS[name].printed: name for name in METRICS if METRICS[name].printed} | {
    "train_ppl": "train_ppl",
    "bits": "bits_per_byte",
}
DATE = re.compile(r"(?:実験日|日付|実施日|日時|Date)\W{0,6}(?=\d{4})", re.IGNORECASE)
HEAD = re.compile(r"^#{2,6}\s", re.MULTILINE)
BESIDE = "変更 差分 変化 備考 説明 意味 change difference note comment".split()
TOLD = re.compile(r"([\w -]{1,40}?)\s*[:=]\s*(\S{1,40})")
SETTINGS = re.compile(
    r"(?:設定|条件|実験条件|パラメータ|Settings?|Config|Parameters?)\s*:\s*", re.I
)
ADVICE = "推奨 今後 提案 Recommend recommend Future future Next next".split()
VALUE = {"値", "value", "設定", "setting", "設定値", "default"}


def read(text: str, found: Found, columns: dict[str, str]) -> None:
    """Read a report; a part of a trace may stand for the whole in it."""
    report = read_report(text)
    found.whole = False
    for grid in report.grids:
        _settings(grid, found)
        if not _about_runs(grid):
            _rows(grid, found, columns)
    for fact in read_facts(report):
        _fact(fact, found)
    for sentence in report.sentences:
        _told(sentence, found)
    for _, lines in groupby(report.code, lambda line: (line.block, line.place)):
        _trace(list(lines), found, columns)
    _date(text, found)


def _fact(fact: Fact, found: Found) -> None:
    """Keep a figure that a table or a line gives, whatever run its head names."""
    name = FACTS.get(fact.metric)
    if name is None or fact.difference or fact.step is not None or fact.end or fact.window:
        return
    own = fields.RESULTS[name]
    size = None if name == "alpha" else fact.size
    try:
        printed = number(fact.number.text, own, False, fact.number.unit)
        value = fields.checked(own, printed)
    except ValueError as error:
        if fact.line not in {line for line, _ in found.problems}:
            found.refuse(fact.line, f"{METRICS[name].label} {fact.number.text} {error}")
        return
    scale = 100 if printed.unit == "%" else 1
    place = Place(fact.words, None, size, fact.above)
    found.figures.append(Figure(fact.line, place, name, value, float(printed.half) / scale))


def _about_runs(grid: Grid) -> bool:
    """Whether the columns of a table are runs, or its rows metrics: facts tell all of it."""
    known = [fields.named(head.text, KEYS, RESULTS) for head in grid.heads]
    return sum(one is not None for one in known) < 2


def _rows(grid: Grid, found: Found, columns: dict[str, str]) -> None:
    """Read a table of results, whose columns are named as those of any other table."""
    place = _place(grid.place)
    heads = [head.text for head in grid.heads]
    rows = [Line(row[0].line, [cell.text for cell in row]) for row in grid.rows]
    read_table(Table(heads, grid.heads[0].line, rows, False, False, place), found, columns)


def _place(section: Section) -> Place:
    label = place_label(section)
    return Place(frozenset(), None, label.size, label.words)


def _settings(grid: Grid, found: Found) -> None:
    """Read a table whose first column names knobs, and whose others are runs, or one value."""
    names = [fields.named(row[0].text, KNOBS) for row in grid.rows]
    if not any(names) or sum(map(bool, names)) * 2 < len(names):
        return
    for own, row in zip(names, grid.rows, strict=True):
        for head, cell in zip(grid.heads[1:], row[1:], strict=True):
            if own is None or not cell.text or _beside(head.text):
                continue
            words = frozenset() if head.text.lower() in VALUE else frozenset({head.text.lower()})
            try:
                value = knob_value(own.name, cell.text)
            except ValueError as error:
                found.refuse(cell.line, f"{own.name} {cell.text!r} {error}")
                continue
            place = Place(words, above=_place(grid.place).above)
            found.settings.append(Figure(cell.line, place, own.name, value))


def _told(sentence: Sentence, found: Found) -> None:
    """Read a line that gives a knob, `max_iter: 60`, or lists some; advice tells of no run."""
    text = sentence.text.strip()
    listed = SETTINGS.match(text)
    told = TOLD.finditer(text, listed.end()) if listed else filter(None, [TOLD.fullmatch(text)])
    if any(word in " ".join(sentence.place.titles) for word in ADVICE):
        return
    for m in told:
        own = fields.named(m[1], KNOBS)
        try:
            value = knob_value(own.name, m[2].rstrip(",、")) if own else None
        except ValueError:
            continue  # prose
        if own:
            place = Place(above=_place(sentence.place).above)
            found.settings.append(Figure(sentence.line, place, own.name, value))


def _beside(head: str) -> bool:
    """Whether a column of settings is about them, and gives none."""
    return any(word in head.lower() for word in BESIDE)


def _trace(lines: list[CodeLine], found: Found, columns: dict[str, str]) -> None:
    place = _place(lines[0].place)
    parted, rest = aligned.split([(line.line, line.text) for line in lines])
    for table in parted:
        read_table(replace(table, place=place), found, columns)
    logs.read(rest, found, columns, place)


def _date(text: str, found: Found) -> None:
    """Keep the date above the first section, with what stands there as the run's words."""
    start = HEAD.search(text)
    top = text[: start.start() if start else len(text)]
    m = DATE.search(top)
    if m and fields.DAY.match(top, m.end()):
        line, place = top[: m.start()].count("\n") + 1, Place(above=_words(top))
        try:
            found.figures.append(Figure(line, place, "started", fields.day(top[m.end() :])))
        except ValueError:
            found.refuse(line, f"{top[m.end() : m.end() + 10]!r} is no day of a calendar")


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[\w.+]+", text.lower()))
