"""Text with separators (CSV, TSV, semicolons), as rows of cells with their lines."""

import csv
import io
import re
from dataclasses import replace

from fpcore.importing.fields import ALL, LOSSES, RESULTS, named
from fpcore.importing.found import ImportingError, Place
from fpcore.importing.rows import Line, Table

SEPARATORS = ",;\t|"
WIDEST = 1000  # columns
# A number that only a decimal comma explains, and one that a comma could part in two ways.
DECIMAL = re.compile(r"[-+]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d{1,3}(?:\.\d{3})+,\d+)\s*%?")
EITHER = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}\s*%?")


def separator(text: str, columns: dict[str, str]) -> str:
    """Return what parts the columns of a table, or nothing where a text does not begin as one.

    Its first line that is no comment must name two columns that are known, or one and a value.
    """
    first = next((line for line in text.split("\n") if _said(line)), "")
    best, most = "", 1
    for sign in SEPARATORS:
        heads = [columns.get(head.strip(), head) for head in _cells(first, sign)]
        known = sum(bool(named(h, *ALL)) for h in heads)
        if len(heads) > 1 and known >= most:
            best, most = sign, known + 1
    return best


def read(text: str, sign: str, columns: dict[str, str]) -> Table:
    """Return the table of a text whose columns `sign` parts; `columns` say what some are here.

    Raises:
        ImportingError: it has no rows, or its quotes are not closed.
    """
    rows = _rows(text, sign)
    if len(rows) < 2:
        raise ImportingError("It has a head, but no rows below it.")
    first, *body = rows
    heads = [head.strip() for head in first.cells]
    known = [named(columns.get(head, head), *ALL) for head in heads]
    parted = [j for j, own in enumerate(known) if own and own.kind not in ("text", "whole", "seed")]
    return Table(heads, first.line, body, comma=sign != "," and _commas(body, parted))


def by_run(table: Table, columns: dict[str, str]) -> list[Table]:
    """Return a table for each run where heads name runs and fields (`v5 val_ppl`), else the table.

    Columns that name no run are of all of them.
    """
    parts = [_of_run(columns.get(head, head)) for head in table.heads]
    runs = dict.fromkeys(run for run, _ in parts if run)
    if len(runs) < 2:
        return [table]
    found = []
    for run in runs:
        kept = [j for j, (own, _) in enumerate(parts) if own in ("", run)]
        rows = [replace(row, cells=[row.cells[j] for j in kept]) for row in table.rows]
        place = Place(frozenset({run.lower()}))
        heads = [parts[j][1] for j in kept]
        found.append(replace(table, heads=heads, rows=rows, place=place))
    return found


def _of_run(head: str) -> tuple[str, str]:
    """Return the run that a head names before a field, and the field; no run for other heads."""
    if named(head, *ALL):
        return "", head
    for m in re.finditer(r"[\s_/-]+", head):
        if m.start() and named(head[m.end() :], RESULTS, LOSSES):
            return head[: m.start()].strip(), head[m.end() :]
    return "", head


def _rows(text: str, sign: str) -> list[Line]:
    lines = [line if _said(line) else "" for line in text.split("\n")]
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=sign, strict=True)
    rows: list[Line] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                own = _inner(cells) if sign == "|" else cells
                if not all(re.fullmatch(r":?-+:?", cell.strip()) for cell in own):
                    rows.append(Line(start, own))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ImportingError(f"Line {start}: {error}; a cell in quotes must end in one.") from None
    return rows


def _said(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _cells(line: str, sign: str) -> list[str]:
    cells = next(csv.reader([line], delimiter=sign), [])[:WIDEST]
    return [cell.strip() for cell in (_inner(cells) if sign == "|" else cells)]


def _inner(cells: list[str]) -> list[str]:
    """Return cells without the empty ones outside of the outer pipes."""
    if not cells:
        return []
    first, last = not cells[0].strip(), not cells[-1].strip()
    return cells[first : len(cells) - last]


def _commas(rows: list[Line], parted: list[int]) -> bool:
    """Whether decimals stand behind commas, in the columns that may hold parts of one.

    Raises:
        ImportingError: they could, or thousands could.
    """
    cells = [(row.line, row.cells[j].strip()) for row in rows for j in parted if j < len(row.cells)]
    if any(DECIMAL.fullmatch(cell) for _, cell in cells):
        return True
    doubtful = [(line, cell) for line, cell in cells if EITHER.fullmatch(cell)]
    points = any(re.fullmatch(r"[-+]?\d+\.\d+\s*%?", cell) for _, cell in cells)
    if doubtful and not points:
        line, cell = doubtful[0]
        raise ImportingError(
            f"Line {line}: {cell} may be {cell.replace(',', '.')} or {cell.replace(',', '')}; "
            "write it with a decimal point, or without a comma."
        )
    return False
