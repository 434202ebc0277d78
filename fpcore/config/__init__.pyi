from . import parameters
from .baseline import KneserNeyConfig, NeuralConfig, load_baseline
from .run_config import RunConfig
from .search import Search
from .study import Study

__all__ = [
    "KneserNeyConfig",
    "NeuralConfig",
    "RunConfig",
    "Search",
    "Study",
    "load_baseline",
    "parameters",
]
