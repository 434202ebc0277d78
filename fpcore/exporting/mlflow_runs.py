"""Records as runs of an MLflow file store, by its own client."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# A newer MLflow asks for this before it works with files; nothing is to be sent anywhere.
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient

from fpcore.exporting.values import Point, began, figures, part, points, report
from fpcore.paths import unwritable
from fpcore.records.record import RunRecord
from fpcore.records.result import SizeResult

STORE = "mlruns"  # as MLflow itself calls it
EXPERIMENT = "fpcore"
PARENT = "mlflow.parentRunId"
NAME, DIGEST = "fpcore.record", "fpcore.digest"
MOST = 900  # metrics at once; the client takes 1000


def write(records: Sequence[RunRecord], folder: Path) -> list[Path]:
    """Write a run for each record, and one below it for each seed and size, to a file store.

    One that is there already with the same digest stays as it is; another one of that name, which
    is of an older record or was not finished, is deleted first.

    Raises:
        StorageError: the store cannot be written.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a store in files, which is what is asked for
            store = _Store(folder / STORE)
            for record in records:
                store.keep(record)
    except OSError as error:
        raise unwritable(folder, error) from None
    return [folder / STORE]


class _Store:
    """A file store, and what it holds of records by their names."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(tracking_uri=folder.resolve().as_uri())
        known = self.client.get_experiment_by_name(EXPERIMENT)
        self.experiment = (
            known.experiment_id if known else self.client.create_experiment(EXPERIMENT)
        )
        self.held: dict[str, list[Run]] = {}
        for run in self._runs():
            self.held.setdefault(run.data.tags.get(NAME, ""), []).append(run)

    def _runs(self) -> Iterator[Run]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], page_token=token)
            yield from page
            if not (token := page.token):
                return

    def keep(self, record: RunRecord) -> None:
        """Write a record, unless it is there."""
        digest = hashlib.sha256(record.model_dump_json().encode()).hexdigest()
        runs = self.held.get(record.name, [])
        if any(run.data.tags.get(DIGEST) == digest for run in runs):
            return
        for run in runs:
            self.client.delete_run(run.info.run_id)
        parent = self._begin(record, record.name, {"mlflow.note.content": str(report(record))})
        for result in record.results:
            child = self._begin(record, f"{record.name}/{part(result)}", {PARENT: parent})
            self._log(child, record, _of_child(result))
            self._end(child, record, sum(result.seconds.values()))
        self._log(parent, record, _of_parent(record))
        self.client.log_text(parent, str(report(record)), "report.md")
        self.client.log_text(parent, record.model_dump_json(indent=1), "record.json")
        self._end(parent, record, record.seconds or sum(map(_time, record.results)))
        self.client.set_tag(parent, DIGEST, digest)  # the last: without it a run is not finished

    def _begin(self, record: RunRecord, name: str, tags: dict[str, str]) -> str:
        origin = record.origin.file if record.origin else None
        known = {"source": record.source, "label": record.label, "origin": origin}
        own = {f"fpcore.{key}": value for key, value in known.items() if value} | {
            NAME: record.name
        }
        run = self.client.create_run(self.experiment, _began(record), own | tags, name)
        return str(run.info.run_id)

    def _log(self, run: str, record: RunRecord, rows: list[Point]) -> None:
        began = _began(record)
        metrics = [Metric(_metric(name), value, began, step) for name, step, value in rows]
        knobs = {_name(key): _text(value) for key, value in record.config.items()}
        params = [Param(key, value) for key, value in knobs.items()]
        self.client.log_batch(run, params=params[:100])
        for start in range(0, len(metrics), MOST):
            self.client.log_batch(run, metrics[start : start + MOST])

    def _end(self, run: str, record: RunRecord, seconds: float) -> None:
        self.client.set_terminated(run, end_time=_began(record) + round(1000 * seconds))


def _of_child(result: SizeResult) -> list[Point]:
    """Return the figures of a seed and size, at its size, and its traces."""
    own = [(name, result.samples, value) for name, value in figures(result).items()]
    return [*own, *points(result)]


def _of_parent(record: RunRecord) -> list[Point]:
    """Return the figures of a run by size, those of each seed apart, and those of the whole run."""
    rows = [
        (f"{'by_size' if r.seed is None else f'seed{r.seed}'}/{name}", r.samples, value)
        for r in record.results
        for name, value in figures(r).items()
    ]
    whole = {"alpha": record.alpha, "seconds": record.seconds}
    return rows + [(name, 0, value) for name, value in whole.items() if value is not None]


def _time(result: SizeResult) -> float:
    return sum(result.seconds.values())


def _began(record: RunRecord) -> int:
    return max(0, round(1000 * began(record)))  # MLflow knows no time before 1970


def _metric(text: str) -> str:
    """Return the name of a metric; what stands before its first / is a group of metrics."""
    group, sign, name = text.partition("/")
    return f"{group}/{_name(name)}" if sign else _name(text)


def _name(text: str) -> str:
    """Return a name as MLflow takes it, for which it makes a file: without other signs."""
    return re.sub(r"^\.|[^\w.\- :]", "_", text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
