"""JSON as people keep results in it: lists of objects, objects of lists, one object a line."""

import json
import re
from typing import Any

from fpcore.errors import quoted
from fpcore.importing import fields
from fpcore.importing.fields import KEYS, KNOBS, bare
from fpcore.importing.found import Figure, Found, ImportingError, Place
from fpcore.importing.located import Located, loads
from fpcore.importing.rows import Line, Table, knob_value, read_table

SETTINGS = "config params settings hyperparameters hparams args".split()
TRACES = "phase1 phase2 history trace traces log logs epochs iterations".split()
SIZE, WHOLE = re.compile(r"[1-9][0-9]{0,14}"), re.compile(r"[0-9]{1,15}")
RESULT_LISTS = "results rows data runs records metrics sizes summary".split()


def read_lines(text: str, found: Found, columns: dict[str, str]) -> None:
    """Read a text with a JSON object on each line.

    Raises:
        ImportingError: a line is none.
    """
    objects: list[Located] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                objects.append(_object(loads(line, number)))
            except ValueError as error:
                problems.append(f"Line {number}: it is no JSON object ({_without_line(error)}).")
    if problems:
        raise ImportingError(*problems)
    _Reader(found, columns).value(objects, Place())


def read(text: str, found: Found, columns: dict[str, str]) -> None:
    """Read a JSON text.

    Raises:
        ImportingError: it is none, or holds no object.
    """
    try:
        value = loads(text)
    except ValueError as error:
        line, _, why = str(error).rpartition(": ")
        raise ImportingError(f"{line.capitalize() or 'Line 1'}: it is no JSON ({why}).") from None
    if isinstance(value, Located) and "schema_version" in value:
        raise ImportingError("It is a record of this book already; copy it to reports/runs/.")
    if not isinstance(value, dict | list):
        raise ImportingError('It holds no object such as {"samples": 50, "val_ppl": 750.1}.')
    _Reader(found, columns).value(value, Place())


def _object(value: Any) -> Located:
    if not isinstance(value, Located):
        raise ValueError(f"it is {quoted(value)}")
    return value


def _without_line(error: ValueError) -> str:
    text = str(error)
    return text.partition(": ")[2] if text.startswith("line ") else text


class _Reader:
    """Walks through lists and objects, and knows what they are said of."""

    def __init__(self, found: Found, columns: dict[str, str]) -> None:
        self.found, self.columns = found, columns

    def value(self, value: Any, place: Place) -> None:
        """Read a list of objects, or an object."""
        if isinstance(value, list):
            others = [item for item in value if not isinstance(item, Located)]
            if others:
                self.found.refuse(1, f"a list of objects is needed, not one of {quoted(others[0])}")
                return
            self._rows(value, place)
        elif isinstance(value, Located):
            self._one(value, place)

    def _one(self, value: Located, place: Place) -> None:
        """Read an object: a table by columns, runs or sizes by name, or a row and what is in it."""
        if rows := _by_column(value):
            self._rows(rows, place)
        elif self._named(value):
            for key, inner in value.items():
                self.value(inner, _inside(place, key))
        else:
            self._rows([value], place)

    def _named(self, value: Located) -> bool:
        """Whether the keys of an object are runs or sizes: no parts of a file, and no fields."""
        names = (*SETTINGS, *TRACES, *RESULT_LISTS)
        known = any(bare(key) in names or fields.named(key, *fields.ALL) for key in value)
        return bool(value) and not known and all(isinstance(v, Located) for v in value.values())

    def _rows(self, objects: list[Located], place: Place) -> None:
        """Read objects as the rows of a table, and then the tables inside of them."""
        flat = [_flat(one) for one in objects]
        heads = list(dict.fromkeys(key for cells, _ in flat for key in cells))
        rows = [
            Line(one.line, [cells.get(h, ("", 0))[0] for h in heads],
                 [cells.get(h, ("", one.line))[1] for h in heads])
            for one, (cells, _) in zip(objects, flat, strict=True)
        ]  # fmt: skip
        if heads:
            line = objects[0].line
            read_table(Table(heads, line, rows, place=place), self.found, self.columns)
        for cells, inner in flat:
            own = self._place(cells, place)
            for key, value, line in inner:
                self._inside(key, value, line, own)

    def _inside(self, key: str, value: Any, line: int, place: Place) -> None:
        if bare(key) in SETTINGS and isinstance(value, Located):
            self._settings(value, place)
        elif isinstance(value, Located) or (value and isinstance(value[0], Located)):
            self.value(value, place)
        elif (own := fields.named(key, KNOBS)) is not None:
            self._setting(line, key, own.name, json.dumps(value).replace('"', ""), place)
        elif (found := fields.named(key, KEYS)) is None or found.name != "samples":
            self.found.refuse(line, f"{quoted(key)} holds a list that is not known")

    def _settings(self, value: Located, place: Place) -> None:
        """Read the knobs of a config; others, which nothing here would read, are named."""
        other = []
        for key, inner in value.items():
            own = fields.named(self.columns.get(key, key), KNOBS)
            if own is None and bare(key) not in ("samples", "numsamples", "name"):
                other.append(key)
            elif own is not None and inner is not None:
                text = inner if isinstance(inner, str) else json.dumps(inner).replace('"', "")
                self._setting(value.lines[key], key, own.name, text, place)
        if other:
            self.found.note(f"Left out, as no knob is called so: {', '.join(other)}.")

    def _setting(self, line: int, key: str, name: str, text: str, place: Place) -> None:
        try:
            self.found.settings.append(Figure(line, place, name, knob_value(name, text)))
        except ValueError as error:
            self.found.refuse(line, f"{key} {quoted(text)} {error}")

    def _place(self, cells: dict[str, tuple[str, int]], place: Place) -> Place:
        """Return what the tables inside of a row are said of; its own values were checked."""
        own = {f.name: text for key, (text, _) in cells.items() if (f := fields.named(key, KEYS))}
        whole = {
            k: int(v) for k, v in own.items() if k in ("seed", "samples") and WHOLE.fullmatch(v)
        }
        run = frozenset({own["run"].lower()}) if "run" in own else frozenset[str]()
        return Place(
            place.run | run, whole.get("seed", place.seed), whole.get("samples", place.samples)
        )


def _flat(one: Located) -> tuple[dict[str, tuple[str, int]], list[tuple[str, Any, int]]]:
    """Return the plain values of an object with their lines, and the tables inside of it.

    What stands in an object such as `metrics` counts as the object's own.
    """
    cells: dict[str, tuple[str, int]] = {}
    inner: list[tuple[str, Any, int]] = []
    for key, value in one.items():
        line = one.lines[key]
        if isinstance(value, Located) and not _part(key, value):
            below, more = _flat(value)
            cells |= {k: v for k, v in below.items() if k not in cells}
            inner += more
        elif isinstance(value, dict | list):
            inner.append((key, value, line))
        elif value is not None:
            cells[key] = (value if isinstance(value, str) else json.dumps(value), line)
    return cells, inner


def _part(key: str, value: Located) -> bool:
    """Whether an object inside of another one is a table of its own."""
    nested = any(isinstance(v, dict | list) for v in value.values())
    return bare(key) in (*SETTINGS, *TRACES) or (bare(key) in RESULT_LISTS and nested)


def _inside(place: Place, key: str) -> Place:
    """Return what is inside of the key of a group: a size, or a run."""
    if SIZE.fullmatch(key):
        return Place(place.run, place.seed, int(key))
    return Place(place.run | {key.lower()}, place.seed, place.samples)


def _by_column(value: Located) -> list[Located]:
    """Return the rows of an object that holds columns (lists, or objects with the same keys)."""
    if _split(value):
        return [_row(value, value["columns"], cells) for cells in value["data"]]
    columns = [v for v in value.values() if isinstance(v, list)]
    flat = not any(isinstance(cell, dict) for column in columns for cell in column)
    if flat and len(columns) == len(value) > 1 and len({len(column) for column in columns}) == 1:
        return [_row(value, list(value), cells) for cells in zip(*columns, strict=True)]
    objects = [v for v in value.values() if isinstance(v, Located)]
    same = len({tuple(v) for v in objects}) == 1 and len(objects) == len(value) > 1
    if same and all(fields.named(key, *fields.ALL) for key in value):
        keys = list(objects[0])
        return [_row(value, list(value), [v[key] for v in objects]) for key in keys]
    return []


def _split(value: Located) -> bool:
    """Whether an object holds the names of columns, and rows with a cell for each of them."""
    heads, rows = value.get("columns"), value.get("data")
    if not isinstance(heads, list) or not isinstance(rows, list):
        return False
    named = all(isinstance(head, str) for head in heads)
    return named and all(isinstance(row, list) and len(row) == len(heads) for row in rows)


def _row(value: Located, heads: list[str], cells: Any) -> Located:
    own = Located()
    own.line = value.line
    for head, cell in zip(heads, cells, strict=True):
        own[head], own.lines[head] = cell, value.lines.get(head, value.line)
    return own
