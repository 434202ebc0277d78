from .analysis import compare_runs, gather, gather_search, load_comparison
from .config import RunConfig, Search, Study, load_baseline, parameters
from .errors import (
    ConfigError,
    CorpusError,
    FpcoreError,
    HeldError,
    ModelError,
    RecordError,
    StorageError,
    TrainingError,
)
from .paths import shown
from .records import RunRecord, epochs, frame, load_record, load_records, traces
from .reports import watch
from .runs import diagnose, lesson, load_model, look, run, run_baseline, search
from .stats import metrics, scaling

__all__ = [
    "ConfigError",
    "CorpusError",
    "FpcoreError",
    "HeldError",
    "ModelError",
    "RecordError",
    "RunConfig",
    "RunRecord",
    "Search",
    "StorageError",
    "Study",
    "TrainingError",
    "compare_runs",
    "diagnose",
    "epochs",
    "frame",
    "gather",
    "gather_search",
    "lesson",
    "load_baseline",
    "load_comparison",
    "load_model",
    "load_record",
    "load_records",
    "look",
    "metrics",
    "parameters",
    "run",
    "run_baseline",
    "scaling",
    "search",
    "shown",
    "traces",
    "watch",
]
