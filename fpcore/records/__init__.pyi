from .frames import epochs, frame, traces
from .record import RunRecord, SizeResult, load_record, load_records

__all__ = [
    "RunRecord",
    "SizeResult",
    "epochs",
    "frame",
    "load_record",
    "load_records",
    "traces",
]
