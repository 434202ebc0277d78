"""A two-phase fixed-point-context language model: trainers, metrics, records and reports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fpcore import parameters, scaling
from fpcore.compare import compare_runs, load_comparison
from fpcore.config import RunConfig
from fpcore.errors import (
    ConfigError,
    CorpusError,
    FpcoreError,
    HeldError,
    RecordError,
    StorageError,
    TrainingError,
)
from fpcore.records import RunRecord, epochs, frame, load_record, load_records, traces

if TYPE_CHECKING:
    from fpcore import metrics
    from fpcore.experiment import run
    from fpcore.watching import watch

__all__ = [
    "ConfigError",
    "CorpusError",
    "FpcoreError",
    "HeldError",
    "RecordError",
    "RunConfig",
    "RunRecord",
    "StorageError",
    "TrainingError",
    "compare_runs",
    "epochs",
    "frame",
    "load_comparison",
    "load_record",
    "load_records",
    "metrics",
    "parameters",
    "run",
    "scaling",
    "traces",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import torch only for those who train or measure; records are read without it."""
    if name == "run":
        return import_module("fpcore.experiment").run
    if name == "watch":
        return import_module("fpcore.watching").watch
    if name == "metrics":
        return import_module("fpcore.metrics")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
