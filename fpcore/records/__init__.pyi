from .frames import epochs, frame, traces
from .record import RunRecord, load_record, load_records
from .result import SizeResult

__all__ = [
    "RunRecord",
    "SizeResult",
    "epochs",
    "frame",
    "load_record",
    "load_records",
    "traces",
]
