"""Tables of any origin: heads and rows of cells, read by the names of their columns."""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from math import exp

from fpcore.config.checked import parse
from fpcore.errors import quoted
from fpcore.importing import fields, values
from fpcore.importing.fields import KEYS, KNOBS, LOSSES, PHASE1, PHASE2, RESULTS, Field
from fpcore.importing.found import Figure, Found, Phase, Place, Row

STEPS: dict[Phase, str] = {"phase1": "iteration", "phase2": "epoch"}
KINDS = {"phase1": (KEYS, PHASE1, KNOBS), "phase2": (KEYS, PHASE2, KNOBS)}
OUTCOMES = {"val_er", "train_er", "train_tokens", "alpha", "bits_per_byte"}  # not in a trace
SIZE = re.compile(r"[(\[](\d[\d,]*)\s*(?:samples?|conversations?|サンプル|会話)", re.IGNORECASE)
LEFT_OUT = "-"  # what a column is called that is not to be read


@dataclass(frozen=True)
class Line:
    """A row: its first line, its cells, and where they have lines of their own these."""

    line: int
    cells: list[str]
    lines: list[int] = field(default_factory=list)

    def at(self, j: int) -> int:
        """The line of a cell."""
        return self.lines[j] if self.lines else self.line


@dataclass(frozen=True)
class Table:
    """A table: its heads, and its rows with their lines.

    `comma`: decimals stand behind commas. `strict`: a column that is not known is refused. `place`
    holds for rows that do not say themselves what they are of.
    """

    heads: list[str]
    line: int
    rows: list[Line]
    comma: bool = False
    strict: bool = True
    place: Place = field(default_factory=Place)


def phase_of(heads: list[str], columns: dict[str, str]) -> Phase | None:
    """Return the phase that a table traces; None for a table of results."""
    heads = [columns.get(head, head) for head in heads]
    outcomes = {f.name for head in heads if (f := fields.named(head, KEYS, RESULTS))}
    for phase, table in (("phase2", PHASE2), ("phase1", PHASE1)):
        known = {f.name for head in heads if (f := fields.named(head, table))}
        beside = outcomes & (OUTCOMES | ({"val_ppl", "train_ppl"} if phase == "phase1" else set()))
        if STEPS[phase] in known and len(known) > 1 and not beside:  # type: ignore[index]
            return phase  # type: ignore[return-value]
    return None


def read_table(table: Table, found: Found, columns: dict[str, str]) -> None:
    """Read a table into what was found; `columns` say what some of its columns are called here."""
    _Reader(table, found, columns).read()


class _Reader:
    """A table at work: what its columns are, and which of them are in percent."""

    def __init__(self, table: Table, found: Found, columns: dict[str, str]) -> None:
        self.table, self.found, self.columns = table, found, columns
        self.phase = phase_of(table.heads, columns)
        self.fields = [self._field(head) for head in table.heads]
        self._twice()
        self.signed: set[int] = set()
        self.percent = {
            j: self._in_percent(j) for j, f in enumerate(self.fields) if f and f.kind == "share"
        }

    def read(self) -> None:
        """Read every row."""
        for row in self.table.rows:
            if len(row.cells) != len(self.fields):
                own, heads = len(row.cells), len(self.fields)
                self.found.refuse(row.line, f"{own} cells where the head has {heads} columns")
            else:
                self._row(row)

    def _field(self, head: str) -> Field | None:
        name = self.columns.get(head, head)
        if name == LEFT_OUT or not values.plain(head) or head.startswith("Unnamed:"):
            return None
        tables = KINDS[self.phase] if self.phase else (KEYS, RESULTS, LOSSES, KNOBS)
        found = fields.named(name, *tables)
        if found is None and self.table.strict:
            near = fields.near(name, *tables)
            self.found.refuse(
                self.table.line,
                f"the column {quoted(head)} is not known{near}; --column {quoted(head + '=NAME')} "
                f"says what it is, --column {quoted(head + '=-')} leaves it out",
            )
        return found

    def _twice(self) -> None:
        names = Counter(f.name for f in self.fields if f)
        for name in (name for name, times in names.items() if times > 1):
            own = [h for h, f in zip(self.table.heads, self.fields, strict=True) if f]
            twice = [h for h in own if (f := self._again(h)) and f.name == name]
            heads = " and ".join(map(quoted, twice))
            self.found.refuse(self.table.line, f"the columns {heads} both mean {name}")

    def _again(self, head: str) -> Field | None:
        return self.fields[self.table.heads.index(head)]

    def _in_percent(self, j: int) -> bool:
        """Whether bare numbers of a column of shares are percentages: its head or all say so."""
        head = self.table.heads[j]
        if fields.unit_of(head) == "%":
            return True
        numbers = self._numbers(j)
        bare = [n.value for n in numbers if not n.unit]
        if len(bare) < len(numbers):
            self.signed.add(j)
        above = [value for value in bare if value > 1]
        if above and all(value > 1 or value == 0 for value in bare):
            self.found.note(f"The column {head} was read in percent.")
            return True
        return False

    def _numbers(self, j: int) -> list[values.Printed]:
        numbers = []
        for row in self.table.rows:
            try:
                numbers.append(values.read(row.cells[j], self.table.comma))
            except (ValueError, IndexError):
                continue
        return numbers

    def _row(self, row: Line) -> None:
        known: dict[str, Figure] = {}
        for j, own in enumerate(self.fields):
            cell = row.cells[j]
            if own is None or values.unknown(cell):
                continue
            try:
                known[own.name] = self._value(row.at(j), j, own, cell)
            except ValueError as error:
                head = self.table.heads[j]
                self.found.refuse(row.at(j), f"{head} {quoted(values.plain(cell))} {error}")
        self._keep(row.line, known)

    def _value(self, line: int, j: int, own: Field, cell: str) -> Figure:
        place = self.table.place
        if own.name in KNOBS:
            return Figure(line, place, own.name, knob_value(own.name, cell))
        if own.kind == "date":
            return Figure(line, place, own.name, fields.day(cell))
        if own.kind == "text":
            return Figure(line, place, own.name, values.plain(cell))
        printed = number(cell, own, self.table.comma, fields.unit_of(self.table.heads[j]))
        if j in self.signed and not printed.unit:
            raise ValueError("has no % sign, as others of its column have")
        if self.percent.get(j) and not printed.unit:
            printed = values.Printed(printed.value, printed.half, "%")
        value = fields.checked(own, printed)
        scale = 100 if printed.unit == "%" else 1
        return Figure(line, place, own.name, value, float(printed.half) / scale)

    def _keep(self, line: int, known: dict[str, Figure]) -> None:
        place = self._place(known)
        rest = {name: f for name, f in known.items() if name not in KEYS or name == "label"}
        settings = [Figure(f.line, place, n, f.value) for n, f in rest.items() if n in KNOBS]
        self.found.settings += settings
        own = {name: f for name, f in rest.items() if name not in KNOBS}
        if "started" in known:
            own["started"] = known["started"]
        if self.phase:
            self._trace_row(line, place, own)
            return
        for name, f in own.items():
            self.found.figures.append(Figure(f.line, place, *in_ppl(name, f.value, f.half)))
            if name in LOSSES:
                self.found.note(f"{name} was read in nats: the perplexity is its exponential.")

    def _trace_row(self, line: int, place: Place, own: dict[str, Figure]) -> None:
        phase = self.phase
        step = own.pop(STEPS[phase], None) if phase else None
        if phase is None or step is None:
            self.found.refuse(line, f"no {STEPS[phase or 'phase1']} is given")
            return
        cells = {n: f.value for n, f in own.items() if n not in ("label", "started")}
        self.found.rows.append(Row(line, place, phase, step.value, cells))

    def _place(self, known: dict[str, Figure]) -> Place:
        own, above = {name: f.value for name, f in known.items()}, self.table.place
        run, size = run_of(own["run"]) if "run" in own else (frozenset[str](), None)
        seed, samples = own.get("seed", above.seed), own.get("samples", size or above.samples)
        return Place(above.run | run, seed, samples, above.above)


def run_of(cell: str) -> tuple[frozenset[str], int | None]:
    """Return the run that a cell names, and the size in its brackets: `v4 (800 samples)`."""
    size = SIZE.search(cell)
    name = re.sub(r"[(\[].*?[)\]]", "", cell).strip().lower()
    return frozenset({name or cell.lower()}), int(size[1].replace(",", "")) if size else None


def number(cell: str, own: Field, comma: bool, unit: str) -> values.Printed:
    """Return the number of a cell of a field, times in seconds, in the unit of its head.

    Raises:
        ValueError: it is none.
    """
    text = values.plain(cell)
    if own.kind == "whole" and comma and values.GROUPED.fullmatch(text.replace(".", ",")):
        text = text.replace(".", "").replace(",", "")  # 62.891 beside decimals behind commas
    printed = values.read(text, comma)
    if own.kind == "time" and not printed.unit:
        scale = values.SECONDS.get(unit, Decimal(1))
        return values.Printed(printed.value * scale, printed.half * scale, "s")
    return printed


def knob_value(name: str, cell: str) -> object:
    """Return the value of a knob, as YAML or as a printed number.

    Raises:
        ValueError: it cannot have it.
    """
    text = values.plain(cell)
    try:
        printed = values.read(text)
    except ValueError:
        return fields.knob(name, parse(text))
    value = printed.share.value if printed.unit == "%" else printed.value
    whole = value == value.to_integral_value() and "." not in text
    return fields.knob(name, int(value) if whole else float(value))


def in_ppl(name: str, value: float, half: float) -> tuple[str, float, float]:
    """Return a loss of the results as a perplexity, and anything else as it is."""
    if name not in LOSSES:
        return name, value, half
    ppl = exp(value)
    return name.replace("_loss", "_ppl"), ppl, ppl * half
