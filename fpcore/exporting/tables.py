"""Records as tidy tables in files: runs, results, traces and epochs, as CSV or Parquet."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_integer_dtype

from fpcore.exporting.columns import KNOBS, RUN, TABLES
from fpcore.paths import unwritable, write_atomically
from fpcore.records.frames import epochs, frame, traces
from fpcore.records.record import RunRecord

WHOLE = {"seed", "samples", "iteration", "epoch", "train_tokens", "val_tokens", "val_bytes",
         "phase1_iterations", "train_er_rows", "val_er_rows", "best_epoch", "epochs_run",
         "trained_parameters"}  # fmt: skip

TEXTS = {"run", "source", "label", "started", "config"}


def tables(records: Sequence[RunRecord]) -> dict[str, pd.DataFrame]:
    """Return `runs` (a row per run), `results` (and seed and size), `traces` and `epochs`.

    Ratios are from 0 to 1, losses in nats, times in seconds; lists of knobs are JSON.
    """
    found = {
        "runs": pd.DataFrame([_run(record) for record in records], columns=list(TABLES["runs"])),
        "results": frame(records),
        "traces": traces(records),
        "epochs": epochs(records),
    }
    return {name: _typed(table[list(TABLES[name])]) for name, table in found.items()}


def _run(record: RunRecord) -> dict[str, object]:
    own = {name: getattr(record, name) for name in RUN if name not in ("run", "config")}
    knobs = {name: value for name, value in record.config.items() if name in KNOBS}
    return {"run": record.name} | own | knobs | {"config": json.dumps(record.config)}


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with whole numbers as such, also where some are not known; lists as JSON."""
    return pd.DataFrame({name: _column(str(name), table[name]) for name in table})


def _column(name: str, values: "pd.Series[Any]") -> "pd.Series[Any]":
    known = values.dropna()
    kinds = {type(value) for value in known if values.dtype == object}
    whole = name in WHOLE and kinds <= {int, float}  # the knob `samples` is a list
    if whole or kinds == {int} or is_integer_dtype(values):
        return values.astype("Int64")
    if name == "clipped" or kinds == {bool}:
        return values.astype("boolean")
    if kinds and kinds <= {int, float}:
        return values.astype("float64")
    if kinds:
        return values.map(_text, na_action="ignore").astype("str")
    return values.astype("float64") if known.empty and name not in TEXTS else values


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def write_csv(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Write the tables and what their columns mean; a file that is as it should be is left alone.

    Raises:
        StorageError: a file cannot be written.
    """
    whole = tables(records) | {"columns": _described()}
    return [
        put(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n").encode())
        for name, table in whole.items()
    ]


def write_parquet(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Write the tables; each column says its unit and meaning in its metadata.

    Raises:
        StorageError: a file cannot be written.
    """
    return [
        put(folder / f"{name}.parquet", _parquet(name, table))
        for name, table in tables(records).items()
    ]


def _parquet(name: str, table: pd.DataFrame) -> bytes:
    whole = pa.Table.from_pandas(table, preserve_index=False)
    fields = [
        field.with_metadata(dict(zip(("unit", "meaning"), TABLES[name][field.name], strict=True)))
        for field in whole.schema
    ]
    out = io.BytesIO()
    pq.write_table(whole.cast(pa.schema(fields, whole.schema.metadata)), out)
    return out.getvalue()


def _described() -> pd.DataFrame:
    rows = [
        (table, column, unit, meaning)
        for table, columns in TABLES.items()
        for column, (unit, meaning) in columns.items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])


def put(path: Path, content: bytes) -> Path:
    """Write a file, unless it holds just that.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        same = path.is_file() and path.read_bytes() == content
    except OSError as error:
        raise unwritable(path, error) from None
    if not same:
        write_atomically(path, content)
    return path
