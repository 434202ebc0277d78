"""A two-phase fixed-point-context language model: trainers, metrics, records and reports."""

from fpcore import metrics, parameters, scaling
from fpcore.compare import compare_runs, load_comparison
from fpcore.config import RunConfig
from fpcore.errors import ConfigError, CorpusError, FpcoreError, RecordError, TrainingError
from fpcore.experiment import run
from fpcore.records import RunRecord, epochs, frame, load_record, load_records, traces

__all__ = [
    "ConfigError",
    "CorpusError",
    "FpcoreError",
    "RecordError",
    "RunConfig",
    "RunRecord",
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
]
