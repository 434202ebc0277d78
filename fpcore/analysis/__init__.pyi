from .checks import run_checks
from .comparison import Comparison, compare_runs, load_comparison
from .study import gather

__all__ = [
    "Comparison",
    "compare_runs",
    "gather",
    "load_comparison",
    "run_checks",
]
