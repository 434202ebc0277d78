"""Any file that holds results: what kind it is, and what is found in it."""

import hashlib
import re
from pathlib import Path

from fpcore.importing import aligned, logs, objects, reports, tables
from fpcore.importing.found import Found, ImportingError, Place
from fpcore.importing.rows import read_table
from fpcore.paths import file_content, shown
from fpcore.records.record import Origin

MAX_BYTES = 2**24  # more is no table, log or report
MARKDOWN = re.compile(r"^#{1,6} \S|^\s*\|?[\s:|-]*---[\s:|-]*\|?\s*$|^```", re.MULTILINE)
NAMES = {".md": "report", ".markdown": "report", ".json": "json", ".jsonl": "lines",
         ".ndjson": "lines"}  # fmt: skip


def content(path: Path) -> tuple[str, str]:
    """Return the text of a file, and the digest of its bytes.

    Raises:
        ImportingError: it cannot be read, or is no text in UTF-8 or UTF-16.
    """
    try:
        data = file_content(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise ImportingError(f"{shown(path)} cannot be read: {why}.") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ImportingError(f"Line {line}: it is no text in UTF-8; save the file so.") from None
    if "\0" in text:
        raise ImportingError("It is no text; give a table, JSON, a log or a report in Markdown.")
    if not text.strip():
        raise ImportingError("It is empty.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), hashlib.sha256(data).hexdigest()


def find(path: Path, text: str, columns: dict[str, str]) -> Found:
    """Return what is found in a text; `columns` say what its columns are called here.

    Raises:
        ImportingError: it is of no kind that is known.
    """
    found = Found()
    kind = NAMES.get(path.suffix.lower()) or _kind(text, columns)
    if kind == "report":
        reports.read(text, found, columns)
    elif kind == "json":
        objects.read(text, found, columns)
    elif kind == "lines":
        objects.read_lines(text, found, columns)
    elif kind:
        table = tables.read(text, kind, columns)
        short = [row for row in table.rows if len(row.cells) != len(table.heads)]
        for part in [table] if short else tables.by_run(table, columns):
            read_table(part, found, columns)
    else:
        _log(text, found, columns)
    return found


def _kind(text: str, columns: dict[str, str]) -> str:
    """Return the kind of a text: JSON, a report, the separator of a table, or nothing: a log."""
    head = text.lstrip()[:1]
    if re.match(r"\s*[\[{]\s*[\"\[{\]}]", text):
        first = text.lstrip().split("\n")[0].rstrip()
        several = len(text.strip().splitlines()) > 1
        return "lines" if several and head == "{" and first.endswith("}") else "json"
    if sign := tables.separator(text, columns):
        return sign
    return "report" if MARKDOWN.search(text) else ""


def _log(text: str, found: Found, columns: dict[str, str]) -> None:
    """Read a log, and the tables with aligned columns in it."""
    parted, rest = aligned.split(list(enumerate(text.split("\n"), 1)))
    for table in parted:
        read_table(table, found, columns)
    logs.read(rest, found, columns, Place())


def origin(path: Path, digest: str, run: str | None) -> Origin:
    """Return where a record comes from."""
    return Origin(file=path.name, sha256=digest, run=run)
