from . import metrics, parameters, scaling
from .compare import compare_runs, load_comparison
from .config import RunConfig
from .errors import (
    ConfigError,
    CorpusError,
    FpcoreError,
    HeldError,
    RecordError,
    StorageError,
    TrainingError,
)
from .experiment import run
from .frames import epochs, frame, traces
from .records import RunRecord, load_record, load_records
from .watching import watch

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
