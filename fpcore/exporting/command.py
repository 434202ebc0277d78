"""The command `python -m fpcore.exporting --to csv|parquet|mlflow|tensorboard DIR [NAMES]`."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from fpcore.errors import ConfigError, FpcoreError, RecordError
from fpcore.records.record import RunRecord, load_record, load_records

Write = Callable[[Sequence[RunRecord], Path], list[Path]]
# Where each is written: the module, its function, and the package that it needs.
KINDS = {
    "csv": ("tables", "write_csv", "pandas"),
    "parquet": ("tables", "write_parquet", "pyarrow"),
    "mlflow": ("mlflow_runs", "write", "mlflow-skinny"),
    "tensorboard": ("tensorboard_events", "write", "tensorboard"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what to give, in one sentence."""
        raise ConfigError(
            f"Give python -m fpcore.exporting --to {'|'.join(KINDS)} DIR [NAMES] ({message})."
        )


def main(arguments: list[str]) -> int:
    """Export records, and name what was written; 0 where that was done, 2 where it was refused."""
    try:
        given = _parser().parse_args(arguments)
        write = writer(given.to)
        records = _records(given.names)
        written = write(records, given.dir)
        print(
            f"{given.dir}: {len(records)} records as {given.to} ({len(written)} files or stores)."
        )
        return 0
    except FpcoreError as error:
        print(error, file=sys.stderr)
        return 2


def writer(kind: str) -> Write:
    """Return what writes records as a kind of files.

    Raises:
        ConfigError: its package is not installed.
    """
    module, function, package = KINDS[kind]
    try:
        found: Write = getattr(importlib.import_module(f"fpcore.exporting.{module}"), function)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--to {kind} needs the package {package}, of which {error.name} cannot be found: "
            f"pip install {package}."
        ) from None
    return found


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m fpcore.exporting",
        description="Write records as tables (csv, parquet), MLflow runs or TensorBoard events. "
        "Exporting again changes nothing but what has changed in the records.",
    )
    parser.add_argument("--to", required=True, choices=KINDS)
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument(
        "names", nargs="*", metavar="NAMES", help="records; all where none is named"
    )
    return parser


def _records(names: list[str]) -> list[RunRecord]:
    """Return the records of these names, each once; all of them where there are none.

    Raises:
        RecordError: a record is missing or damaged, or there is none at all.
    """
    records = [load_record(name) for name in dict.fromkeys(names)] if names else load_records()
    if not records:
        raise RecordError("There is no record in reports/runs to export; run a config first.")
    return records
