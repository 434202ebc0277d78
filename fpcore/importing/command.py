"""The command `python -m fpcore.importing FILE --name NAME`."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from fpcore.errors import FpcoreError, printable
from fpcore.importing import fields, file, making, runs_in
from fpcore.importing.found import ImportingError
from fpcore.importing.rows import LEFT_OUT
from fpcore.paths import reports, shown
from fpcore.records.record import DOCUMENT, Origin, RunRecord, load_record, record_path
from fpcore.records.result import SizeResult
from fpcore.runs.lock import held


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what to give, in one sentence."""
        raise ImportingError(f"Give python -m fpcore.importing FILE --name NAME ({message}).")


def main(arguments: list[str]) -> int:
    """Make a record of a file; 0 where that was done, 2 where it was refused."""
    printable()
    path = ""
    try:
        given = _parser().parse_args(arguments)
        path = f"{given.file}: "
        record, notes = imported(Path(given.file), given)
        for note in notes:
            print(note)
        print(_kept(record))
        return 0
    except ImportingError as error:
        for line in error.lines:
            print(f"{path}{line[:1].lower()}{line[1:]}", file=sys.stderr)
    except FpcoreError as error:
        print(error, file=sys.stderr)
    return 2


def imported(path: Path, given: Any) -> tuple[RunRecord, list[str]]:
    """Return the record of a file, and what the user should know of how it was read.

    Raises:
        ImportingError: the file does not fit; a sentence for each line.
        RecordError: a name that none can have.
    """
    record_path(given.name)
    columns = dict(map(_column, given.column))
    known = making.settings(given.settings) if given.settings else {}
    text, digest = file.content(path)
    found = file.find(path, text, columns)
    run = runs_in.select(found, given.name, given.run)
    origin = Origin(file=path.name, sha256=digest, run=run)
    record = making.make(found, given.name, origin, known, given.samples)
    return record.model_copy(update={"document": _document(path)}), found.notes


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m fpcore.importing",
        description="Make a record of results that were made elsewhere: a report in Markdown, a "
        "table (CSV, TSV, aligned text), JSON, JSON lines or a training log.",
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--name", required=True, help="the name of the new record")
    parser.add_argument("--run", help="which run is meant, where the file tells of several")
    parser.add_argument(
        "--settings", type=Path, metavar="YAML", help="knobs that are known, but not in the file"
    )
    parser.add_argument(
        "--samples", type=_size, metavar="N", help="the size of what the file gives no size of"
    )
    parser.add_argument(
        "--column", action="append", default=[], metavar="THEIRS=OURS",
        help="what a column is called here (samples, val_ppl, …), or - for one that is left out",
    )  # fmt: skip
    return parser


def _size(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,14}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _column(text: str) -> tuple[str, str]:
    theirs, sign, ours = text.rpartition("=")
    if not sign or not theirs.strip() or not ours.strip():
        raise ImportingError(f"--column must be THEIRS=OURS, such as ppl=val_ppl, not {text!r}.")
    if ours.strip() != LEFT_OUT and not fields.named(ours, *fields.ALL):
        near = fields.near(ours, *fields.ALL)
        raise ImportingError(f"--column {text!r}: {ours.strip()!r} is no field of a record{near}.")
    return theirs.strip(), ours.strip()


def _document(path: Path) -> str | None:
    """Return where in reports/ a report stands, so that it is proof-read; None elsewhere."""
    try:
        below = path.resolve().relative_to(reports()).as_posix()
    except ValueError:
        return None
    return below if re.fullmatch(DOCUMENT, below) else None


def _kept(record: RunRecord) -> str:
    """Save a record, unless its name is taken, and say what it holds.

    Raises:
        RecordError: a measured run, or a file of another name, has the name of the record.
        HeldError: another process works on a run of this name.
    """
    with held(record.name):
        before = load_record(record.name) if record.path.exists() else None
        if before is not None and _other(before, record):
            raise ImportingError(
                f"{shown(record.path)} is the record of {_about(before)}; give another --name, or "
                "move it away."
            )
        if before == record:
            return f"{shown(record.path)} holds just that already."
        record.save()
    rows = sum(len(column) for r in record.results for column in _steps(r))
    return (
        f"{shown(record.path)}: {len(record.results)} seeds and sizes, {rows} rows of traces, "
        f"{len(record.config) - 2} knobs."
    )


def _steps(result: SizeResult) -> list[list[Any]]:
    return [result.phase1.get("iteration", []), result.phase2.get("epoch", [])]


def _other(before: RunRecord, record: RunRecord) -> bool:
    """Whether a record is of something else: what was measured is lost if it is replaced."""
    if before.origin is None or record.origin is None:
        return before.source == "measured"
    return (before.origin.file, before.origin.run) != (record.origin.file, record.origin.run)


def _about(before: RunRecord) -> str:
    if before.source == "measured":
        return "a run that was measured"
    return f"another import, of {before.origin.file}" if before.origin else "another import"
