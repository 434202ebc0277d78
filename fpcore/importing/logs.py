"""Logs of a training: lines such as `Iter 30: conv=25% loss=-0.4423`, as tables."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fpcore.importing import fields
from fpcore.importing.fields import KEYS, KNOBS, LOSSES, PHASE1, PHASE2, RESULTS, Field
from fpcore.importing.found import Found, Phase, Place
from fpcore.importing.rows import STEPS, Line, Table, read_table
from fpcore.importing.values import plain

QUOTES = str.maketrans("'\"{}", "    ")
MOST = 10  # lines that are named
LONGEST = 2000  # characters of a line that is read
STAMP = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?Z?|\[?\b(?:INFO|DEBUG|WARNING|ERROR)\b\]?:?"
    r"|\[\d\d:\d\d:\d\d\]|\[?Phase ?[12]\]?(?=\W*(?:iter|epoch|反復|エポック|it\b|ep\b))",
    re.IGNORECASE,
)
START = r"(?<!\w)(?<!max )(?<!num )"
OF = r"\s*[:=#]?\s*(\d{1,9})(?:\s*(?:/|of)\s*\d+)?"
STEP: dict[Phase, re.Pattern[str]] = {
    "phase1": re.compile(rf"(?:{START}iter(?:ation)?|反復|イテレーション){OF}", re.IGNORECASE),
    "phase2": re.compile(rf"(?:{START}ep(?:och)?|エポック){OF}", re.IGNORECASE),
}
WHOLE = r"(\d{1,3}(?:,\d{3})+|\d{1,15})"
OF_SIZE = r"(?:(?:num_|n_)?samples|conversations|サンプル数?|サンプルサイズ|会話数?)"
NAMED_SIZE = rf"{OF_SIZE}\s*[:=]\s*{WHOLE}(?![\d.])"
SIZE = re.compile(
    rf"{NAMED_SIZE}|(?<![\d.,]){WHOLE}[ -]?(?:samples?|conversations?|サンプル|会話)(?!\s*/)",
    re.IGNORECASE,
)
OF_ROW = re.compile(NAMED_SIZE, re.IGNORECASE)
SEED = re.compile(r"(?<![^\W_])(?:seed|シード)\s*[:=]?\s*(\d{1,10})(?![\d.])", re.IGNORECASE)
UNIT = r"(?:%|分|秒|min\b|sec\b|s\b|h\b)"
NUMBER = rf"[-+]?(?:\d+(?:,\d{{3}})*(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?(?!\w)\s*{UNIT}?"
WORD = r"[^\W\d_][\w.]*(?:/\w+)?"
NAME = rf"({WORD}(?:[ -](?:{WORD}|\d(?= [^\W\d]))){{0,3}}|Δ?α)"
PAIR = re.compile(
    rf"{NAME}(?:\s*[:=]\s*({NUMBER}|[^\s,;|]+)|\s+({NUMBER}|[-+]?(?:nan|inf)\b))", re.IGNORECASE
)


@dataclass
class _Log:
    """What is known while a log is read: the size and seed that were named last, and the rows."""

    found: Found
    place: Place
    rows: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)
    open_step: tuple[Phase, str] | None = None

    def keep(self, kind: str, line: int, cells: dict[str, str]) -> None:
        where = {"samples": self.place.samples, "seed": self.place.seed}
        known = {key: str(value) for key, value in where.items() if value is not None}
        self.rows.setdefault(kind, []).append((line, known | cells))


def read(
    lines: Iterable[tuple[int, str]], found: Found, columns: dict[str, str], place: Place
) -> bool:
    """Read numbered lines, and say whether one of them held anything; other lines are passed over.

    A line that names a size or a seed tells it of those below.
    """
    log = _Log(found, place)
    passed = []
    for number, text in lines:
        read = _line(log, number, STAMP.sub(" ", plain(text[:LONGEST]).translate(QUOTES)), columns)
        if not read and any(map(str.isdigit, text)):
            passed.append(number)
    for rows in log.rows.values():
        heads = list(dict.fromkeys(head for _, cells in rows for head in cells))
        body = [Line(number, [cells.get(h, "") for h in heads]) for number, cells in rows]
        read_table(Table(heads, body[0].line, body, strict=False, place=place), found, columns)
    if passed and log.rows and found.whole:
        found.note(f"Nothing was read in these lines: {_listed(passed)}.")
    if log.left_out:
        found.note(f"Left out, as nothing here is called so: {', '.join(log.left_out)}.")
    return bool(log.rows)


def _listed(numbers: list[int]) -> str:
    more = f" and {len(numbers) - MOST} more" if len(numbers) > MOST else ""
    return ", ".join(map(str, numbers[:MOST])) + more


def _line(log: _Log, number: int, text: str, columns: dict[str, str]) -> bool:
    """Read a line, and say whether it told anything."""
    before = log.place
    for phase, pattern in STEP.items():
        if m := pattern.search(text):
            text = f"{text[: m.start()]}, {text[m.end() :]}"
            _step(log, number, phase, m[1], _place(log, text, OF_ROW), columns)
            return True
    text = _place(log, text, SIZE)
    if log.open_step and (cells := _cells(log, text, log.open_step[0], columns)):
        phase, step = log.open_step
        log.keep(phase, number, {STEPS[phase]: step} | cells)
        log.open_step = None
        return True
    if cells := _cells(log, text, None, columns):
        log.keep("results", number, cells)
    return bool(cells) or log.place != before


def _place(log: _Log, text: str, size: re.Pattern[str]) -> str:
    """Note the size and the seed that a line names, and return the rest of it."""
    if m := size.search(text):
        samples = next(filter(None, m.groups())).replace(",", "")
        log.place = replace(log.place, samples=int(samples))
    if m := SEED.search(text):
        log.place = replace(log.place, seed=int(m[1]))
    return SEED.sub(" ", size.sub(" ", text))


def _step(
    log: _Log, number: int, phase: Phase, step: str, rest: str, columns: dict[str, str]
) -> None:
    """Keep the row of an iteration or epoch; its values may also stand on the next line."""
    cells = _cells(log, rest, phase, columns)
    log.open_step = None if cells else (phase, step)
    if cells:
        log.keep(phase, number, {STEPS[phase]: step} | cells)


def _cells(log: _Log, text: str, phase: Phase | None, columns: dict[str, str]) -> dict[str, str]:
    """Return the values of a line by their names, those whose name is known in its place."""
    tables = {"phase1": (PHASE1,), "phase2": (PHASE2,), None: (RESULTS, LOSSES, KNOBS)}[phase]
    cells: dict[str, str] = {}
    for m in PAIR.finditer(text):
        value = m[2] or m[3]
        if phase is None and m[2] is None:
            continue  # prose, such as "trained in 3 minutes"
        name, known = _named(m[1], tables, columns)
        if known is not None and known.name not in STEPS.values():
            cells.setdefault(known.name, value)
        elif phase and known is None and any(map(str.isdigit, value)):
            log.left_out[name] = None
    return cells


def _named(
    words: str, tables: tuple[dict[str, Field], ...], columns: dict[str, str]
) -> tuple[str, Field | None]:
    """Return the longest end of some words that is the name of a field."""
    parts = words.split()
    for k in range(len(parts)):
        name = " ".join(parts[k:])
        if found := fields.named(columns.get(name, name), *tables, KEYS if name in columns else {}):
            return name, found
    return parts[-1], None
