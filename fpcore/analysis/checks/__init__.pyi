from .check import Check
from .registry import run_checks

__all__ = [
    "Check",
    "run_checks",
]
