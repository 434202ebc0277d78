from .checks import run_checks
from .comparison import Comparison, compare_runs, load_comparison
from .gathering import gather
from .search import gather_search

__all__ = [
    "Comparison",
    "compare_runs",
    "gather",
    "gather_search",
    "load_comparison",
    "run_checks",
]
