from .check import check_report
from .command import main
from .document import read_report
from .facts import Fact, read_facts
from .finding import ClaimsError, Finding
from .published import column_differences, difference_name
from .terms import METRICS

__all__ = [
    "METRICS",
    "ClaimsError",
    "Fact",
    "Finding",
    "check_report",
    "column_differences",
    "difference_name",
    "main",
    "read_facts",
    "read_report",
]
